//! EvidenceService: proofs, for a party to the event.

use std::sync::Arc;

use postfach_proto::convert::{self, FieldError};
use postfach_proto::v1;
use postfach_proto::v1::evidence_service_server::EvidenceService;
use tonic::{Request, Response, Status};

use super::caller;
use super::status::{from_app, from_field};
use crate::app::App;
use crate::evidence::LogName;

/// See the module.
pub struct Evidence(pub Arc<App>);

#[tonic::async_trait]
impl EvidenceService for Evidence {
    async fn get_receipts(
        &self,
        request: Request<v1::GetReceiptsRequest>,
    ) -> Result<Response<v1::GetReceiptsResponse>, Status> {
        let caller = caller(&request)?;
        let id = convert::message_id("message_id", &request.into_inner().message_id).map_err(from_field)?;
        let receipts = self.0.get_receipts(&caller, id).await.map_err(from_app)?;
        Ok(Response::new(receipts.into()))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let log = log(request.into_inner().log).map_err(from_field)?;
        let checkpoint = self.0.newest_checkpoint(log).await.map_err(from_app)?;
        Ok(Response::new(v1::GetCheckpointResponse { checkpoint }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let request = request.into_inner();
        let log = log(request.log).map_err(from_field)?;
        let sizes = convert::sizes("sizes", request.sizes).map_err(from_field)?;
        let answer = self.0.consistency(log, &sizes).await.map_err(from_app)?;
        Ok(Response::new(answer.into()))
    }
}

fn log(value: i32) -> Result<LogName, FieldError> {
    match v1::LogName::try_from(value) {
        Ok(v1::LogName::Keys) => Ok(LogName::Keys),
        Ok(v1::LogName::Evidence) => Ok(LogName::Evidence),
        _ => Err(FieldError { field: "log", problem: "is neither KEYS nor EVIDENCE".to_owned() }),
    }
}
