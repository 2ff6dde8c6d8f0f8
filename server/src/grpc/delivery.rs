//! DeliveryService: sending, and what became of it.

use std::sync::Arc;

use postfach_proto::convert;
use postfach_proto::v1;
use postfach_proto::v1::delivery_service_server::DeliveryService;
use tonic::{Request, Response, Status};

use super::status::{from_app, from_field};
use super::watching::{Streamed, stream, watcher};
use super::{answers, batch_results, caller, common};
use crate::app::App;

/// See the module.
pub struct Delivery(pub Arc<App>);

#[tonic::async_trait]
impl DeliveryService for Delivery {
    async fn deliver(
        &self,
        request: Request<v1::DeliverRequest>,
    ) -> Result<Response<v1::DeliverResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let submission = convert::required("submission", request.submission).map_err(from_field)?;
        let logged =
            self.0.deliver(&caller, submission.into(), request.validate_only).await.map_err(from_app)?;
        Ok(Response::new(logged.into()))
    }

    async fn deliver_batch(
        &self,
        request: Request<v1::DeliverBatchRequest>,
    ) -> Result<Response<v1::DeliverBatchResponse>, Status> {
        let (caller, common) = (caller(&request)?, common(&request)?);
        let v1::DeliverBatchRequest { submissions, validate_only } = request.into_inner();
        let submissions = answers::list(submissions);
        let results = self.0.deliver_batch(&caller, submissions, validate_only).await.map_err(from_app)?;
        Ok(Response::new(batch_results::response(results, &common)))
    }

    async fn get_delivery(
        &self,
        request: Request<v1::GetDeliveryRequest>,
    ) -> Result<Response<v1::GetDeliveryResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = convert::message_id("message_id", &request.message_id).map_err(from_field)?;
        let delivery = self.0.get_delivery(&caller, id, request.include_content).await.map_err(from_app)?;
        Ok(Response::new(delivery.into()))
    }

    async fn list_delivery_events(
        &self,
        request: Request<v1::ListDeliveryEventsRequest>,
    ) -> Result<Response<v1::ListDeliveryEventsResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ListDeliveryEventsRequest { cursor, page_size } = request.into_inner();
        let page = self.0.list_delivery_events(&caller, &cursor, page_size).await.map_err(from_app)?;
        Ok(Response::new(page.into()))
    }

    type WatchDeliveryEventsStream = Streamed<v1::WatchDeliveryEventsResponse>;

    async fn watch_delivery_events(
        &self,
        request: Request<v1::WatchDeliveryEventsRequest>,
    ) -> Result<Response<Self::WatchDeliveryEventsStream>, Status> {
        let (watcher, common) = (watcher(&request)?, common(&request)?);
        let cursor = request.into_inner().cursor;
        let watch = self.0.watch_delivery_events(watcher, cursor).await.map_err(from_app)?;
        Ok(Response::new(stream(watch, common)))
    }

    async fn withdraw(
        &self,
        request: Request<v1::WithdrawRequest>,
    ) -> Result<Response<v1::WithdrawResponse>, Status> {
        let caller = caller(&request)?;
        let act = convert::act("act", request.into_inner().act).map_err(from_field)?;
        let logged = self.0.withdraw(&caller, act).await.map_err(from_app)?;
        Ok(Response::new(logged.into()))
    }
}
