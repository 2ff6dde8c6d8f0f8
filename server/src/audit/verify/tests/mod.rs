//! The audit on real deployments: everything holds, and no damage goes unseen.

#![allow(clippy::unwrap_used)]

mod damage;
mod files;
mod forge;
mod patient;
mod reading;
mod scenario;
mod world;

use super::{Options, verify};

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_deployment_holds_running_and_stopped() {
    let world = scenario::everything().await;
    for running in [true, false] {
        if !running {
            world.app.close().await;
        }
        for (quick, blobs) in [(false, false), (true, false), (false, true)] {
            let options = Options { quick, blobs, checkpoint: None };
            let report = verify(&world.folder, &options).await.unwrap();
            assert_eq!(report.counts.signatures == 0, quick);
            assert_eq!(report.counts.blobs > 0, blobs);
        }
    }
}
