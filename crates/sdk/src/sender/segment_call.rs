//! WriteSegment without copying the segment: its bytes go to the connection as they lie in memory. What is called, with which
//! headers, and what the answer means is the generated client's business.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body::Frame;
use postfach_domain::id::AttachmentId;
use postfach_proto::v1;
use postfach_proto::v1::attachment_service_client::AttachmentServiceClient;
use prost::Message as _;
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Request, Response, Status};
use tower::Service;

/// Number and wire type of `WriteSegmentRequest.data`.
const DATA: u8 = 3 << 3 | 2;

/// One segment to write.
#[derive(Clone)]
pub(super) struct SegmentCall {
    pub(super) id: AttachmentId,
    pub(super) index: u64,
    pub(super) data: Bytes,
}

impl SegmentCall {
    /// The request without its data.
    pub(super) fn request(&self) -> v1::WriteSegmentRequest {
        v1::WriteSegmentRequest { attachment_id: self.id.to_vec(), index: self.index, data: Bytes::new() }
    }

    pub(super) async fn send(
        self,
        channel: Channel,
        request: Request<v1::WriteSegmentRequest>,
    ) -> Result<Response<v1::WriteSegmentResponse>, Status> {
        let message = self.message();
        AttachmentServiceClient::new(Instead { channel, message }).write_segment(request).await
    }

    fn message(&self) -> Message {
        let request = self.request();
        let mut start = BytesMut::with_capacity(64);
        // gRPC: not compressed, length of the message.
        start.put_bytes(0, 5);
        // Safe because memory grows.
        request.encode(&mut start).expect("room for the fields");
        start.put_u8(DATA);
        prost::encode_length_delimiter(self.data.len(), &mut start).expect("room for a length");
        let len = u32::try_from(start.len() - 5 + self.data.len()).unwrap_or(u32::MAX);
        start[1..5].copy_from_slice(&len.to_be_bytes());
        Message { start: start.freeze(), data: self.data.clone() }
    }
}

/// A channel that sends this message in the place of the one that a client made.
struct Instead {
    channel: Channel,
    message: Message,
}

impl Service<http::Request<Body>> for Instead {
    type Response = <Channel as Service<http::Request<Body>>>::Response;
    type Error = <Channel as Service<http::Request<Body>>>::Error;
    type Future = <Channel as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.channel, cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let message = self.message.clone();
        self.channel.call(request.map(|_| Body::new(message)))
    }
}

/// A gRPC message in two pieces.
#[derive(Clone)]
struct Message {
    start: Bytes,
    data: Bytes,
}

impl http_body::Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut next = std::mem::take(&mut self.start);
        if next.is_empty() {
            next = std::mem::take(&mut self.data);
        }
        Poll::Ready((!next.is_empty()).then(|| Ok(Frame::data(next))))
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.data.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn the_bytes_are_those_of_the_generated_client() {
        for (index, len) in [(0, 1), (1, 127), (2, 128), (u64::MAX, 4 * 1024 * 1024)] {
            let call = SegmentCall { id: AttachmentId([7; 16]), index, data: vec![9; len].into() };
            let sent = call.message().collect().await.unwrap().to_bytes();
            let whole = v1::WriteSegmentRequest { data: call.data.clone(), ..call.request() };
            assert_eq!(
                sent[..5],
                [&[0][..], &u32::try_from(whole.encoded_len()).unwrap().to_be_bytes()].concat()
            );
            assert!(sent[5..] == whole.encode_to_vec(), "{index} {len}");
        }
    }
}
