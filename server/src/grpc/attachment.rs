//! AttachmentService: ciphertext of attachments in segments.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use postfach_domain::id::Party;
use postfach_proto::convert;
use postfach_proto::v1;
use postfach_proto::v1::attachment_service_server::AttachmentService;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::caller;
use super::status::{self, Common, from_app, from_auth, from_field};
use crate::app::{App, AttachmentReader, Caller};
use crate::auth::token::TokenError;
use crate::auth::verifier::AuthError;
use crate::places::Place;

/// See the module.
pub struct Attachment(pub Arc<App>);

#[tonic::async_trait]
impl AttachmentService for Attachment {
    async fn create_upload(
        &self,
        request: Request<v1::CreateUploadRequest>,
    ) -> Result<Response<v1::CreateUploadResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = convert::attachment_id("attachment_id", &request.attachment_id).map_err(from_field)?;
        let upload = self.0.create_upload(&caller, id, request.ct_len).await.map_err(from_app)?;
        Ok(Response::new(v1::CreateUploadResponse { upload: Some(upload.into()) }))
    }

    async fn write_segment(
        &self,
        request: Request<v1::WriteSegmentRequest>,
    ) -> Result<Response<v1::WriteSegmentResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = convert::attachment_id("attachment_id", &request.attachment_id).map_err(from_field)?;
        let leaf = self.0.write_segment(&caller, id, request.index, request.data).await.map_err(from_app)?;
        Ok(Response::new(v1::WriteSegmentResponse { leaf: leaf.to_vec() }))
    }

    async fn get_upload(
        &self,
        request: Request<v1::GetUploadRequest>,
    ) -> Result<Response<v1::GetUploadResponse>, Status> {
        let caller = caller(&request)?;
        let id = convert::attachment_id("attachment_id", &request.into_inner().attachment_id)
            .map_err(from_field)?;
        let upload = self.0.get_upload(&caller, id).await.map_err(from_app)?;
        Ok(Response::new(v1::GetUploadResponse { upload: Some(upload.into()) }))
    }

    async fn commit_upload(
        &self,
        request: Request<v1::CommitUploadRequest>,
    ) -> Result<Response<v1::CommitUploadResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let id = convert::attachment_id("attachment_id", &request.attachment_id).map_err(from_field)?;
        let root = convert::digest("ct_root", &request.ct_root).map_err(from_field)?;
        let upload = self.0.commit_upload(&caller, id, root).await.map_err(from_app)?;
        Ok(Response::new(v1::CommitUploadResponse { upload: Some(upload.into()) }))
    }

    async fn list_segment_hashes(
        &self,
        request: Request<v1::ListSegmentHashesRequest>,
    ) -> Result<Response<v1::ListSegmentHashesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let message_id = convert::message_id("message_id", &request.message_id).map_err(from_field)?;
        let id = convert::attachment_id("attachment_id", &request.attachment_id).map_err(from_field)?;
        let page = self
            .0
            .list_segment_hashes(&caller, message_id, id, request.page_size, &request.page_token)
            .await
            .map_err(from_app)?;
        Ok(Response::new(v1::ListSegmentHashesResponse {
            leaves: page.items.into_iter().map(postfach_domain::hash::Digest::to_vec).collect(),
            next_page_token: page.next.unwrap_or_default(),
        }))
    }

    type ReadSegmentsStream = Segments;

    async fn read_segments(
        &self,
        request: Request<v1::ReadSegmentsRequest>,
    ) -> Result<Response<Self::ReadSegmentsStream>, Status> {
        let caller = caller(&request)?;
        let common = request.extensions().get::<Common>().cloned();
        let request = request.into_inner();
        let message_id = convert::message_id("message_id", &request.message_id).map_err(from_field)?;
        let id = convert::attachment_id("attachment_id", &request.attachment_id).map_err(from_field)?;
        let reader = self.0.read_segments(&caller, message_id, id).await.map_err(from_app)?;
        let wanted = if request.count == 0 { u64::MAX } else { request.count };
        let end = request.first.saturating_add(wanted).min(reader.segment_count);
        // One segment waits while another is on the wire: memory stays flat.
        let (sender, segments) = mpsc::channel(1);
        let segments = Segments { segments, _place: Arc::clone(&reader.place) };
        let reading = Reading { app: Arc::clone(&self.0), caller, reader, common };
        tokio::spawn(reading.run(request.first..end, sender));
        Ok(Response::new(segments))
    }
}

/// Segments on their way to a caller, who has one place less until the last of them is gone.
pub struct Segments {
    segments: mpsc::Receiver<Result<v1::ReadSegmentsResponse, Status>>,
    _place: Arc<Place<Party>>,
}

impl Stream for Segments {
    type Item = Result<v1::ReadSegmentsResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.segments.poll_recv(cx)
    }
}

struct Reading {
    app: Arc<App>,
    caller: Caller,
    reader: AttachmentReader,
    common: Option<Common>,
}

impl Reading {
    async fn run(
        self,
        segments: std::ops::Range<u64>,
        sender: mpsc::Sender<Result<v1::ReadSegmentsResponse, Status>>,
    ) {
        for index in segments {
            // An error of the channel means that the client went away. A segment is read once there is room for it.
            let Ok(room) = sender.reserve().await else { return };
            let answer = self.one(index).await;
            let failed = answer.is_err();
            room.send(answer);
            if failed {
                return;
            }
        }
    }

    /// One segment. A key that was revoked meanwhile ends the stream (SPEC 6).
    async fn one(&self, index: u64) -> Result<v1::ReadSegmentsResponse, Status> {
        let key = self.app.caller_key(&self.caller.party, &self.caller.key_id).await;
        let data = match key {
            Ok(Some(_)) => self.reader.read(index).await.map_err(from_app),
            Ok(None) => Err(from_auth(&AuthError::Token(TokenError::KeyNotActive), self.app.now())),
            Err(error) => Err(from_app(error)),
        };
        // Errors inside a stream do not pass the layer that completes the others.
        data.map(|data| v1::ReadSegmentsResponse { index, data }).map_err(|failed| match &self.common {
            Some(common) => status::complete(&failed, common),
            None => failed,
        })
    }
}
