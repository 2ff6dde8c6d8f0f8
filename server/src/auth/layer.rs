//! Puts the `Caller` into the extensions of every call that needs one, or ends the call. Everything in our own
//! package needs one, except what is named here.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::AUTHORIZATION;
use postfach_domain::time::Timestamp;

use super::token::TokenError;
use super::verifier::{Admitted, AuthError, Verifier};
use crate::app::App;
use crate::grpc::status;
use crate::key_book::KeyRole;

/// Our services; health and reflection are not among them.
const OWN: &str = "/postfach.v1.";
/// Anybody may ask what anybody may know.
const FOR_ANYBODY: &[&str] = &["/postfach.v1.InfoService/"];
/// The token's key stands in the request; the handler checks it.
const REGISTER: &str = "/postfach.v1.MailboxService/Register";
/// Where the recovery key counts as active (SPEC 6).
const FOR_RECOVERY_KEYS: &[&str] = &[
    "/postfach.v1.MailboxService/GetChain",
    "/postfach.v1.MailboxService/GetWraps",
    "/postfach.v1.MailboxService/AppendLink",
];

/// What the layer works with.
#[derive(Clone)]
pub struct Auth {
    /// Answers which keys are active.
    pub app: Arc<App>,
    /// Checks tokens.
    pub verifier: Arc<Verifier>,
}

/// The text of a token that nobody checked yet; only Register finds one in its request.
#[derive(Clone)]
pub struct UncheckedToken(pub String);

/// When the caller's token ends, with the clocks' tolerance; for streams, which may live longer than it.
#[derive(Clone, Copy)]
pub struct TokenEnd(pub Timestamp);

/// See the module.
pub async fn authenticate(State(auth): State<Auth>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.starts_with(OWN) || FOR_ANYBODY.iter().any(|open| path.starts_with(open)) {
        return next.run(request).await;
    }
    match admit(&auth, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(error) => status::from_auth(&error, auth.app.now()).into_http(),
    }
}

async fn admit(auth: &Auth, request: &mut Request) -> Result<(), AuthError> {
    let token = bearer(request).ok_or(TokenError::Missing)?;
    if request.uri().path() == REGISTER {
        let token = UncheckedToken(token.to_owned());
        request.extensions_mut().insert(token);
        return Ok(());
    }
    let Admitted { caller, role, until } =
        auth.verifier.verify(token, auth.app.as_ref(), auth.app.now()).await?;
    if role == KeyRole::Recovery && !FOR_RECOVERY_KEYS.contains(&request.uri().path()) {
        return Err(TokenError::KeyNotActive.into());
    }
    request.extensions_mut().insert(TokenEnd(until));
    request.extensions_mut().insert(caller);
    Ok(())
}

/// The token in exactly one `authorization` header.
fn bearer(request: &Request) -> Option<&str> {
    let mut headers = request.headers().get_all(AUTHORIZATION).iter();
    let (scheme, token) = headers.next()?.to_str().ok()?.split_once(' ')?;
    (headers.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim())
}
