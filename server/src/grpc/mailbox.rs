//! MailboxService: a mailbox, for its owner.

use std::net::IpAddr;
use std::sync::Arc;

use postfach_proto::convert;
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_server::MailboxService;
use tonic::{Request, Response, Status};

use super::answers::{list, wraps};
use super::status::{from_app, from_auth, from_field, too_many_tries};
use super::watching::{Streamed, stream, watcher};
use super::{caller, common};
use crate::app::{App, AppError, Register};
use crate::auth::layer::UncheckedToken;
use crate::auth::rate::GuessLimit;
use crate::auth::token::TokenError;
use crate::auth::verifier::{AuthError, Verifier};
use crate::net::connection::ConnectionInfo;

/// See the module.
pub struct Mailbox {
    /// The use cases.
    pub app: Arc<App>,
    /// Checks the token of Register, whose key stands in the request.
    pub verifier: Arc<Verifier>,
    /// Slows the guessing of activation codes.
    pub guesses: Arc<GuessLimit>,
}

#[tonic::async_trait]
impl MailboxService for Mailbox {
    async fn register(
        &self,
        request: Request<v1::RegisterRequest>,
    ) -> Result<Response<v1::RegisterResponse>, Status> {
        let peer = peer(&request);
        self.guesses.check(peer, self.app.now()).map_err(too_many_tries)?;
        let token = request.extensions().get::<UncheckedToken>().cloned();
        let register = register(request.into_inner()).map_err(from_field)?;
        let caller = self.genesis_caller(token, &register)?;
        let outcome = self.app.register(&caller, register).await;
        if outcome.as_ref().is_err_and(is_a_guess) {
            self.guesses.failed(peer, self.app.now());
        }
        Ok(Response::new(outcome.map_err(from_app)?.into()))
    }

    async fn append_link(
        &self,
        request: Request<v1::AppendLinkRequest>,
    ) -> Result<Response<v1::AppendLinkResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let link = convert::signed("link", request.link).map_err(from_field)?;
        let sealed = wraps(convert::wraps("wraps", request.wraps).map_err(from_field)?);
        let answer = self.app.append_link(&caller, link, sealed).await.map_err(from_app)?;
        Ok(Response::new(answer.into()))
    }

    async fn get_chain(
        &self,
        request: Request<v1::GetChainRequest>,
    ) -> Result<Response<v1::GetChainResponse>, Status> {
        let answer = self.app.get_chain(&caller(&request)?).await.map_err(from_app)?;
        Ok(Response::new(answer.into()))
    }

    async fn get_wraps(
        &self,
        request: Request<v1::GetWrapsRequest>,
    ) -> Result<Response<v1::GetWrapsResponse>, Status> {
        let caller = caller(&request)?;
        let member = convert::key_id("member", &request.into_inner().member).map_err(from_field)?;
        let stored = self.app.get_wraps(&caller, member).await.map_err(from_app)?;
        Ok(Response::new(v1::GetWrapsResponse { wraps: list(stored) }))
    }

    async fn sync(&self, request: Request<v1::SyncRequest>) -> Result<Response<v1::SyncResponse>, Status> {
        let caller = caller(&request)?;
        let v1::SyncRequest { cursor, page_size } = request.into_inner();
        let page = self.app.sync(&caller, &cursor, page_size).await.map_err(from_app)?;
        Ok(Response::new(page.into()))
    }

    type WatchStream = Streamed<v1::WatchResponse>;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (watcher, common) = (watcher(&request)?, common(&request)?);
        let watch = self.app.watch(watcher, &request.into_inner().cursor).await.map_err(from_app)?;
        Ok(Response::new(stream(watch, common)))
    }

    async fn hand_over(
        &self,
        request: Request<v1::HandOverRequest>,
    ) -> Result<Response<v1::HandOverResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let message_id = convert::message_id("message_id", &request.message_id).map_err(from_field)?;
        let act = request.act.map(|act| convert::act("act", Some(act))).transpose().map_err(from_field)?;
        let letter = self.app.hand_over(&caller, message_id, act).await.map_err(from_app)?;
        Ok(Response::new(letter.into()))
    }

    async fn submit_act(
        &self,
        request: Request<v1::SubmitActRequest>,
    ) -> Result<Response<v1::SubmitActResponse>, Status> {
        let caller = caller(&request)?;
        let act = convert::act("act", request.into_inner().act).map_err(from_field)?;
        let logged = self.app.submit_act(&caller, act).await.map_err(from_app)?;
        Ok(Response::new(logged.into()))
    }
}

impl Mailbox {
    /// The genesis device signs the token of Register itself (SPEC 6).
    fn genesis_caller(
        &self,
        token: Option<UncheckedToken>,
        register: &Register,
    ) -> Result<crate::app::Caller, Status> {
        let now = self.app.now();
        let (address, device) = self.app.genesis_key(&register.genesis).map_err(from_app)?;
        let token = token.ok_or(AuthError::Token(TokenError::Missing)).map_err(|e| from_auth(&e, now))?;
        self.verifier.verify_genesis(&token.0, address, &device, now).map_err(|e| from_auth(&e, now))
    }
}

fn register(request: v1::RegisterRequest) -> Result<Register, convert::FieldError> {
    Ok(Register {
        genesis: convert::signed("genesis", request.genesis)?,
        wraps: wraps(convert::wraps("wraps", request.wraps)?),
        code_id: convert::bytes32("code_id", &request.code_id)?,
        proof: convert::bytes32("proof", &request.proof)?,
        consent: convert::optional_signed("consent", request.consent)?,
    })
}

/// Failures that tell somebody whether a code exists.
fn is_a_guess(error: &AppError) -> bool {
    match error {
        AppError::NotFound => true,
        AppError::Refused(refusal) => refusal.reason().starts_with("CODE_"),
        _ => false,
    }
}

/// The other end's address; one bucket for all where it is not known.
fn peer<T>(request: &Request<T>) -> IpAddr {
    request
        .extensions()
        .get::<ConnectionInfo>()
        .and_then(|connection| connection.peer)
        .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip())
}
