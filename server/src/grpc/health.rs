//! grpc.health.v1: serving while the server takes changes. Reads keep working when it does not.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::app::App;

const EVERY: Duration = Duration::from_secs(1);

/// Keeps the health of the whole server (service name "") current until `stop`, then reports not serving.
pub async fn report(app: Arc<App>, reporter: HealthReporter, stop: CancellationToken) {
    loop {
        let status = if app.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing };
        reporter.set_service_status("", status).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => {
                reporter.set_service_status("", ServingStatus::NotServing).await;
                return;
            }
        }
    }
}
