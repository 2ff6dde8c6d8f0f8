//! AdminService: for the operator, on the unix socket in the data folder only.

use std::sync::Arc;

use postfach_domain::time::Timestamp;
use postfach_proto::convert;
use postfach_proto::v1;
use postfach_proto::v1::admin_service_server::AdminService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::answers::{list, wraps};
use super::status::{from_app, from_field};
use crate::app::{App, DeliveryFilter, RegisterAuthority};

/// See the module.
pub struct Admin(pub Arc<App>);

#[tonic::async_trait]
impl AdminService for Admin {
    async fn create_activation_codes(
        &self,
        request: Request<v1::CreateActivationCodesRequest>,
    ) -> Result<Response<v1::CreateActivationCodesResponse>, Status> {
        let request = request.into_inner();
        let level = convert::trust_level("trust_level", request.trust_level).map_err(from_field)?;
        let codes = self.0.create_codes(request.count, level).await.map_err(from_app)?;
        Ok(Response::new(codes.into()))
    }

    async fn register_authority(
        &self,
        request: Request<v1::RegisterAuthorityRequest>,
    ) -> Result<Response<v1::RegisterAuthorityResponse>, Status> {
        let request = request.into_inner();
        let certificate = convert::signed("certificate", request.certificate).map_err(from_field)?;
        let genesis = convert::optional_signed("genesis", request.genesis).map_err(from_field)?;
        let wraps = wraps(convert::wraps("wraps", request.wraps).map_err(from_field)?);
        let register = RegisterAuthority { certificate, genesis, wraps };
        let registered = self.0.register_authority(register).await.map_err(from_app)?;
        Ok(Response::new(registered.into()))
    }

    async fn revoke_authority(
        &self,
        request: Request<v1::RevokeAuthorityRequest>,
    ) -> Result<Response<v1::RevokeAuthorityResponse>, Status> {
        let revocations = request.into_inner().revocations.into_iter();
        let revocations = revocations
            .map(|revocation| convert::signed("revocations", Some(revocation)))
            .collect::<Result<_, _>>()
            .map_err(from_field)?;
        let indexes = self.0.revoke_authority(revocations).await.map_err(from_app)?;
        Ok(Response::new(v1::RevokeAuthorityResponse { indexes }))
    }

    async fn suspend_mailbox(
        &self,
        request: Request<v1::SuspendMailboxRequest>,
    ) -> Result<Response<v1::SuspendMailboxResponse>, Status> {
        let request = request.into_inner();
        let address = convert::address("address", &request.address).map_err(from_field)?;
        self.0.suspend_mailbox(address, request.suspended).await.map_err(from_app)?;
        Ok(Response::new(v1::SuspendMailboxResponse {}))
    }

    async fn erase(&self, request: Request<v1::EraseRequest>) -> Result<Response<v1::EraseResponse>, Status> {
        let id = convert::message_id("message_id", &request.into_inner().message_id).map_err(from_field)?;
        let erased = self.0.erase(id).await.map_err(from_app)?;
        Ok(Response::new(erased.into()))
    }

    async fn list_deliveries(
        &self,
        request: Request<v1::ListDeliveriesRequest>,
    ) -> Result<Response<v1::ListDeliveriesResponse>, Status> {
        let request = request.into_inner();
        let (page_size, token) = (request.page_size, request.page_token.clone());
        let filter = filter(&request).map_err(from_field)?;
        let page = self.0.list_deliveries(&filter, page_size, &token).await.map_err(from_app)?;
        Ok(Response::new(v1::ListDeliveriesResponse {
            deliveries: list(page.items),
            next_page_token: page.next.unwrap_or_default(),
        }))
    }

    type ExportAuditStream = ReceiverStream<Result<v1::ExportAuditResponse, Status>>;

    async fn export_audit(
        &self,
        _request: Request<v1::ExportAuditRequest>,
    ) -> Result<Response<Self::ExportAuditStream>, Status> {
        let (sender, pages) = mpsc::channel(2);
        tokio::spawn(export(Arc::clone(&self.0), sender));
        Ok(Response::new(ReceiverStream::new(pages)))
    }

    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::GetStatusResponse>, Status> {
        let status = self.0.status().await.map_err(from_app)?;
        Ok(Response::new(v1::GetStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            origin: self.0.origin().to_string(),
            keys_size: status.keys_size,
            evidence_size: status.evidence_size,
            mailbox_count: status.mailbox_count,
            message_count: status.message_count,
            ready: status.ready,
        }))
    }
}

fn filter(request: &v1::ListDeliveriesRequest) -> Result<DeliveryFilter, convert::FieldError> {
    let authority = match request.authority_id.as_str() {
        "" => None,
        id => Some(convert::authority_id("authority_id", id)?),
    };
    let stage = Some(request.stage.clone()).filter(|stage| !stage.is_empty());
    Ok(DeliveryFilter { authority, since: Timestamp(request.since), stage })
}

/// Every delivery, page by page, until the operator's side stops reading.
async fn export(app: Arc<App>, sender: mpsc::Sender<Result<v1::ExportAuditResponse, Status>>) {
    let mut token = String::new();
    loop {
        let page = app.list_deliveries(&DeliveryFilter::default(), 0, &token).await.map_err(from_app);
        let (answer, next) = match page {
            Ok(page) => (Ok(v1::ExportAuditResponse { deliveries: list(page.items) }), page.next),
            Err(status) => (Err(status), None),
        };
        if sender.send(answer).await.is_err() {
            return;
        }
        match next {
            Some(next) => token = next,
            None => return,
        }
    }
}
