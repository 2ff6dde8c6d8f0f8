//! All services on one router, with the layers around them. The operator's services are a router of their own.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use postfach_domain::limits;
use postfach_proto::v1;
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::call::{self, CallLayer};
use super::{admin, attachment, delivery, directory, evidence, info, mailbox};
use crate::app::App;
use crate::auth::layer::{Auth, authenticate};
use crate::auth::rate::GuessLimit;
use crate::auth::verifier::Verifier;

/// A generated server with the limits of one message.
macro_rules! limited {
    ($server:path, $handler:expr, $limit:expr) => {
        <$server>::new($handler).max_decoding_message_size($limit).max_encoding_message_size($limit)
    };
}

/// The services that the network sees: gRPC and gRPC-Web.
pub fn public(
    app: &Arc<App>,
    health: HealthServer<impl Health>,
    calls: CallLayer,
) -> Result<Router, ReflectionError> {
    use v1::attachment_service_server::AttachmentServiceServer;
    use v1::delivery_service_server::DeliveryServiceServer;
    use v1::directory_service_server::DirectoryServiceServer;
    use v1::evidence_service_server::EvidenceServiceServer;
    use v1::info_service_server::InfoServiceServer;
    use v1::mailbox_service_server::MailboxServiceServer;

    let verifier = Arc::new(Verifier::new(app.origin().clone()));
    let mailbox = mailbox::Mailbox {
        app: Arc::clone(app),
        verifier: Arc::clone(&verifier),
        guesses: Arc::new(GuessLimit::new(app.now())),
    };
    let message = limits::MESSAGE_LEN;
    let segment = limits::SEGMENT_CALL_LEN;
    let routes = Routes::new(limited!(InfoServiceServer<_>, info::Info(Arc::clone(app)), message))
        .add_service(limited!(DirectoryServiceServer<_>, directory::Directory(Arc::clone(app)), message))
        .add_service(limited!(MailboxServiceServer<_>, mailbox, message))
        .add_service(limited!(DeliveryServiceServer<_>, delivery::Delivery(Arc::clone(app)), message))
        .add_service(limited!(EvidenceServiceServer<_>, evidence::Evidence(Arc::clone(app)), message))
        .add_service(limited!(AttachmentServiceServer<_>, attachment::Attachment(Arc::clone(app)), segment))
        .add_service(health)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?);
    let auth = Auth { app: Arc::clone(app), verifier };
    // The last layer is the outermost.
    Ok(routes
        .prepare()
        .into_axum_router()
        .layer(from_fn_with_state(auth, authenticate))
        .layer(from_fn_with_state(calls, call::common))
        .layer(tonic_web::GrpcWebLayer::new())
        .layer(from_fn(call::only_grpc)))
}

/// The services of the operator's socket. Whoever can open the socket may use them.
pub fn local(app: &Arc<App>, calls: CallLayer) -> Router {
    use v1::admin_service_server::AdminServiceServer;
    use v1::directory_service_server::DirectoryServiceServer;

    let message = limits::MESSAGE_LEN;
    Routes::new(limited!(AdminServiceServer<_>, admin::Admin(Arc::clone(app)), message))
        .add_service(limited!(DirectoryServiceServer<_>, directory::Directory(Arc::clone(app)), message))
        .prepare()
        .into_axum_router()
        .layer(from_fn_with_state(calls, call::common))
}

/// The embedded descriptors are damaged.
#[derive(Debug, thiserror::Error)]
#[error("service descriptors: {0}")]
pub struct ReflectionError(#[from] tonic_reflection::server::Error);

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(postfach_proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}
