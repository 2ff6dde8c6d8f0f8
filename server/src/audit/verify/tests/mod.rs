//! The audit on real deployments: everything holds, and no damage goes unseen.

#![allow(clippy::unwrap_used)]

mod damage;
mod files;
mod forge;
mod patient;
mod reading;
mod scenario;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use postfach_domain::act::ActType;
use postfach_domain::terms::TrustLevel;

use super::{Options, verify};

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_deployment_holds_running_and_stopped() {
    let world = scenario::everything().await;
    for running in [true, false] {
        if !running {
            world.app.close().await;
        }
        for (quick, blobs) in [(false, false), (true, false), (false, true)] {
            let options =
                Options { quick, blobs: blobs.then(|| world::blobs(&world.folder)), ..Options::default() };
            let report = verify(&world.folder, &options).await.unwrap();
            assert_eq!(report.counts.signatures == 0, quick);
            assert_eq!(report.counts.blobs > 0, blobs);
        }
    }
}

/// Whatever the server does meanwhile, an audit sees one instant, and calls nothing wrong that is only new or gone.
#[tokio::test(flavor = "multi_thread")]
async fn an_audit_beside_a_busy_server_holds() {
    let mut world = world::World::new(5).await;
    let amt = world.authority("amt").await;
    let anna = world.citizen(TrustLevel::Basic, true).await;
    let busy = Arc::new(AtomicBool::new(true));
    let audits = {
        let (busy, folder, runtime) = (busy.clone(), world.folder.clone(), tokio::runtime::Handle::current());
        std::thread::spawn(move || {
            let (mut audits, mut sizes) = (0, std::collections::BTreeSet::new());
            while busy.load(Ordering::SeqCst) || audits == 0 {
                let options = Options { blobs: Some(world::blobs(&folder)), ..Options::default() };
                sizes.insert(runtime.block_on(verify(&folder, &options)).unwrap().evidence_size);
                audits += 1;
            }
            sizes.len()
        })
    };
    for round in 0..24 {
        let bytes = world.bytes(70_000);
        let attachment = world.upload(&amt, &bytes, 0).await;
        let sent = world.deliver(&amt, &anna, vec![attachment]).await;
        world.act_on(&anna, sent, ActType::HandedOver, "").await;
        world.settings(&anna).await;
        world.citizen(TrustLevel::Basic, round % 2 == 0).await;
        if round % 8 == 0 {
            // A reader in the way keeps the log file from being emptied; the erasure itself stands.
            let _ = world.app.erase(sent.id).await;
        }
    }
    busy.store(false, Ordering::SeqCst);
    let sizes = audits.join().unwrap();
    assert!(sizes > 1, "only one instant was seen");
    assert!(verify(&world.folder, &Options::default()).await.unwrap().counts.erased_messages > 0);
}
