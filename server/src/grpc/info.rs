//! InfoService: what anybody may know.

use std::sync::Arc;

use postfach_domain::limits;
use postfach_proto::v1;
use postfach_proto::v1::info_service_server::InfoService;
use tonic::{Request, Response, Status};

use crate::app::App;

/// See the module.
pub struct Info(pub Arc<App>);

#[tonic::async_trait]
impl InfoService for Info {
    async fn get_server_info(
        &self,
        _request: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        let limits = limits::TABLE.iter().map(|limit| v1::Limit {
            name: limit.name.to_owned(),
            value: limit.value,
            unit: limit.unit.as_str().to_owned(),
        });
        Ok(Response::new(v1::GetServerInfoResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            origin: self.0.origin().to_string(),
            limits: limits.collect(),
            server_time: self.0.now().0,
        }))
    }
}
