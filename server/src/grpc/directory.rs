//! DirectoryService: public keys of mailboxes and authorities.

use std::sync::Arc;

use postfach_proto::convert;
use postfach_proto::v1;
use postfach_proto::v1::directory_service_server::DirectoryService;
use tonic::{Request, Response, Status};

use super::answers::list;
use super::caller;
use super::status::{from_app, from_field};
use crate::app::App;

/// See the module.
pub struct Directory(pub Arc<App>);

#[tonic::async_trait]
impl DirectoryService for Directory {
    async fn resolve_recipient(
        &self,
        request: Request<v1::ResolveRecipientRequest>,
    ) -> Result<Response<v1::ResolveRecipientResponse>, Status> {
        let caller = caller(&request)?;
        let address = convert::address("address", &request.into_inner().address).map_err(from_field)?;
        let resolved = self.0.resolve_recipient(&caller, address).await.map_err(from_app)?;
        Ok(Response::new(resolved.into()))
    }

    async fn get_authority(
        &self,
        request: Request<v1::GetAuthorityRequest>,
    ) -> Result<Response<v1::GetAuthorityResponse>, Status> {
        let id =
            convert::authority_id("authority_id", &request.into_inner().authority_id).map_err(from_field)?;
        let (keys, checkpoints) = self.0.get_authority(&id).await.map_err(from_app)?;
        Ok(Response::new(v1::GetAuthorityResponse {
            keys: list(keys),
            checkpoints: Some(checkpoints.into()),
        }))
    }

    async fn list_authorities(
        &self,
        request: Request<v1::ListAuthoritiesRequest>,
    ) -> Result<Response<v1::ListAuthoritiesResponse>, Status> {
        let v1::ListAuthoritiesRequest { page_size, page_token } = request.into_inner();
        let (page, _) = self.0.list_authorities(page_size, &page_token).await.map_err(from_app)?;
        Ok(Response::new(v1::ListAuthoritiesResponse {
            authorities: list(page.items),
            next_page_token: page.next.unwrap_or_default(),
        }))
    }
}
