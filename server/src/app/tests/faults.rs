//! Every step of the database and of the blob store fails once, in each of two ways, under every use case that writes:
//! *failed*, and *failed but stored*, where the error comes although it was done; alone, or with everything after it.
//! The caller is told to try again, or of what was done; the same request again succeeds and comes to one result;
//! nothing is half done, and the audit passes after each.

use std::collections::HashSet;
use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use postfach_domain::act::{ActType, ConsentScope};
use postfach_domain::id::AttachmentId;
use postfach_domain::outer::OuterAttachment;
use postfach_domain::segments::{root, segment_leaf};
use postfach_domain::terms::TrustLevel;

use super::administer::revocation;
use super::chains::{add_device, wraps};
use super::upload::files;
use crate::app::{App, AppError, RegisterAuthority};
use crate::evidence::LogName;
use crate::storage::faulty::Fault;
use crate::testing::{Authority, Mailbox, World, certificate, check_whole, message_ref, size};

/// A request that can be made again and again; what it answers, as far as that must be the same each time.
type Request = Box<dyn Fn(Arc<App>) -> Pin<Box<dyn Future<Output = Result<String, AppError>> + Send>>>;

fn request<T: Debug, F>(call: impl Fn(Arc<App>) -> F + 'static) -> Request
where
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    Box::new(move |app| {
        let calling = call(app);
        Box::pin(async move { calling.await.map(|answer| format!("{answer:?}")) })
    })
}

/// A request of the same kind for each step, in one deployment.
struct Table {
    world: World,
    amt: Authority,
    anna: Mailbox,
    made: u32,
}

impl Table {
    async fn new() -> Self {
        let world = World::new().await;
        let (amt, anna) = (world.authority("amt").await, world.citizen().await);
        Self { world, amt, anna, made: 0 }
    }

    /// An authority that nobody met yet.
    async fn other(&mut self) -> Authority {
        self.made += 1;
        self.world.authority(&format!("amt-{}", self.made)).await
    }

    /// Uploads one segment, and names it.
    async fn upload(&self, by: &Authority, committed: bool) -> (OuterAttachment, Vec<u8>) {
        let (id, bytes) = (AttachmentId(self.world.random()), self.world.bytes(999));
        let (leaf, ct_len) = (segment_leaf(&id, 0, &bytes), bytes.len() as u64);
        let (app, ct_root) = (&self.world.app, root([leaf]));
        app.create_upload(&by.caller(), id, ct_len).await.unwrap();
        app.write_segment(&by.caller(), id, 0, bytes.clone().into()).await.unwrap();
        if committed {
            app.commit_upload(&by.caller(), id, ct_root).await.unwrap();
        }
        (OuterAttachment { id, ct_len, ct_root }, bytes)
    }

    /// An act on a new message, which was handed over before if the act needs that.
    async fn act(&self, act_type: ActType) -> Request {
        let (id, submission) = self.world.deliver(&self.amt, &self.anna).await;
        let (named, caller) = (message_ref(&submission), self.anna.caller());
        let take = self.anna.act(&self.world, ActType::HandedOver, Some(named), |_| {});
        if act_type == ActType::HandedOver {
            return request(move |app| {
                let (caller, take) = (caller.clone(), take.clone());
                async move { app.hand_over(&caller, id, Some(take)).await.map(|given| given.event.index) }
            });
        }
        self.world.app.hand_over(&caller, id, Some(take)).await.unwrap();
        let reason = match act_type {
            ActType::RejectedByRecipient => "CONTENT_INVALID",
            ActType::Disputed => "NOT_RECEIVED",
            _ => "",
        };
        let act = self.anna.act(&self.world, act_type, Some(named), |act| act.reason = reason.to_owned());
        self.submit(act)
    }

    fn submit(&self, act: postfach_domain::format::Signed) -> Request {
        let caller = self.anna.caller();
        request(move |app| {
            let (caller, act) = (caller.clone(), act.clone());
            async move { app.submit_act(&caller, act).await.map(|done| done.event.map(|event| event.index)) }
        })
    }

    /// Fails at every step of the requests that `make` makes. `compared`: the answer is the same each time.
    async fn run(mut self, compared: bool, make: impl AsyncFn(&mut Self) -> Request) {
        let mut told = 0;
        for fault in [Fault::Failed, Fault::FailedButStored] {
            for lasting in [false, true] {
                for step in 0.. {
                    let at = format!("{fault:?} at step {step}, lasting: {lasting}");
                    let request = make(&mut self).await;
                    let app = Arc::clone(&self.world.app);
                    self.world.store.fail_any_after(step, fault, lasting);
                    let first = request(Arc::clone(&app)).await;
                    let happened = self.world.store.mend();
                    // Before anybody comes back, too.
                    self.nothing_is_half_done(&at).await;
                    self.world.audit(true).await;
                    let again = request(Arc::clone(&app)).await;
                    let again = again.unwrap_or_else(|error| panic!("{at}: not repeatable: {error:?}"));
                    match first {
                        Ok(first) => assert!(!compared || first == again, "{at}: {first}, then {again}"),
                        Err(AppError::Unavailable { .. }) => told += 1,
                        Err(other) => panic!("{at}: {other:?}"),
                    }
                    self.ready(&at).await;
                    self.nothing_is_half_done(&at).await;
                    if !happened {
                        assert!(step > 2, "{at}: too few steps to be true");
                        break;
                    }
                }
                self.world.audit(false).await;
            }
        }
        assert!(told > 5, "callers were told {told} times only");
        let events = size(&self.world, LogName::Evidence);
        let world = self.world.restart().await;
        assert_eq!(size(&world, LogName::Evidence), events);
        world.audit(false).await;
    }

    /// Writes are taken again. Where the request had nothing more to write, the server finds out by itself.
    async fn ready(&self, at: &str) {
        for _ in 0..300 {
            if self.world.app.is_ready() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{at}: not ready again");
    }

    /// Leaves, trees, numbers and tables fit together, and no message has a stage twice.
    async fn nothing_is_half_done(&self, at: &str) {
        let mut stages = HashSet::new();
        for event in check_whole(&self.world).await {
            let Some(message) = event.message_id else { continue };
            assert!(stages.insert((message, event.event_type)), "{at}: {:?} twice", event.event_type);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivering() {
    let deliver = async |table: &mut Table| {
        let (attachment, _) = table.upload(&table.amt, true).await;
        let attach = |outer: &mut postfach_domain::outer::Outer| outer.attachments = vec![attachment];
        let (_, submission) = table.amt.submission(&table.world, &table.anna, attach);
        let caller = table.amt.caller();
        request(move |app| {
            let (caller, submission) = (caller.clone(), submission.clone());
            async move { app.deliver(&caller, submission, false).await.map(|done| done.event.unwrap().index) }
        })
    };
    Table::new().await.run(true, deliver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivering_a_batch() {
    let deliver = async |table: &mut Table| {
        let one = || table.amt.submission(&table.world, &table.anna, |_| {}).1;
        let (caller, submissions) = (table.amt.caller(), vec![one(), one(), one()]);
        request(move |app| {
            let (caller, submissions) = (caller.clone(), submissions.clone());
            async move {
                let results = app.deliver_batch(&caller, submissions, false).await?;
                let index = |one: Result<crate::app::Logged, AppError>| Ok(one?.event.unwrap().index);
                results.into_iter().map(index).collect::<Result<Vec<_>, AppError>>()
            }
        })
    };
    Table::new().await.run(true, deliver).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handing_over() {
    Table::new().await.run(true, async |table| table.act(ActType::HandedOver).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirming() {
    Table::new().await.run(true, async |table| table.act(ActType::Confirmed).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disputing() {
    Table::new().await.run(true, async |table| table.act(ActType::Disputed).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rejecting() {
    Table::new().await.run(true, async |table| table.act(ActType::RejectedByRecipient).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting() {
    Table::new().await.run(true, async |table| table.act(ActType::Deleted).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consenting() {
    let consent = async |table: &mut Table| {
        table.world.clock.advance(1000);
        let all = |act: &mut postfach_domain::act::Act| act.details = ConsentScope::All.encode();
        table.submit(table.anna.act(&table.world, ActType::Consent, None, all))
    };
    Table::new().await.run(true, consent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn withdrawing() {
    let withdraw = async |table: &mut Table| {
        let (_, submission) = table.world.deliver(&table.amt, &table.anna).await;
        let act = table.amt.withdrawal(&table.world, message_ref(&submission));
        let caller = table.amt.caller();
        request(move |app| {
            let (caller, act) = (caller.clone(), act.clone());
            async move { app.withdraw(&caller, act).await.map(|done| done.event.unwrap().index) }
        })
    };
    Table::new().await.run(true, withdraw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registering() {
    let register = async |table: &mut Table| {
        let (code, mailbox) = (table.world.code().await, Mailbox::new(&table.world));
        let (caller, register) = (mailbox.caller(), mailbox.registration(&table.world, &code, true));
        request(move |app| {
            let (caller, register) = (caller.clone(), register.clone());
            async move {
                let done = app.register(&caller, register).await?;
                Ok((done.chain.head_index, done.consent.unwrap().index))
            }
        })
    };
    Table::new().await.run(true, register).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appending_a_link() {
    let append = async |table: &mut Table| {
        let mailbox = table.world.citizen().await;
        let link = add_device(&table.world, &mailbox, &table.world.key());
        let mut chain = mailbox.chain.clone();
        let wraps = if chain.append(&link).unwrap().needs_wraps() { wraps(&chain) } else { Vec::new() };
        request(move |app| {
            let (caller, link, wraps) = (mailbox.caller(), link.clone(), wraps.clone());
            async move { app.append_link(&caller, link, wraps).await.map(|done| done.chain.head_index) }
        })
    };
    Table::new().await.run(true, append).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creating_an_upload() {
    let create = async |table: &mut Table| {
        let (caller, id) = (table.other().await.caller(), AttachmentId(table.world.random()));
        request(move |app| {
            let caller = caller.clone();
            async move { app.create_upload(&caller, id, 999).await }
        })
    };
    Table::new().await.run(true, create).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_a_segment() {
    let write = async |table: &mut Table| {
        let (by, id) = (table.other().await, AttachmentId(table.world.random()));
        let bytes = table.world.bytes(999);
        table.world.app.create_upload(&by.caller(), id, 999).await.unwrap();
        request(move |app| {
            let (caller, bytes) = (by.caller(), bytes.clone());
            async move {
                let leaf = app.write_segment(&caller, id, 0, bytes.into()).await?;
                // What was acknowledged is there.
                assert!(app.get_upload(&caller, id).await?.missing.is_empty());
                Ok(leaf)
            }
        })
    };
    Table::new().await.run(true, write).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn committing_an_upload() {
    let commit = async |table: &mut Table| {
        let by = table.other().await;
        let (attachment, _) = table.upload(&by, false).await;
        request(move |app| {
            let caller = by.caller();
            async move { app.commit_upload(&caller, attachment.id, attachment.ct_root).await }
        })
    };
    Table::new().await.run(true, commit).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing() {
    let erase = async |table: &mut Table| {
        // What was erased before is gone from the disk too.
        assert_eq!(files(&table.world), 0);
        let (attachment, _) = table.upload(&table.amt, true).await;
        let attach = |outer: &mut postfach_domain::outer::Outer| outer.attachments = vec![attachment];
        let (id, submission) = table.amt.submission(&table.world, &table.anna, attach);
        table.world.app.deliver(&table.amt.caller(), submission, false).await.unwrap();
        request(move |app| async move { app.erase(id).await })
    };
    Table::new().await.run(true, erase).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleaning_up() {
    let clean = async |table: &mut Table| {
        assert_eq!(files(&table.world), 0);
        table.upload(&table.amt, false).await;
        table.world.clock.advance(25 * 3600 * 1000);
        request(|app| async move { app.clean().await })
    };
    Table::new().await.run(false, clean).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn adding_an_authority() {
    let add = async |table: &mut Table| {
        table.made += 1;
        let (id, key, mailbox) =
            (format!("amt-{}", table.made), table.world.key(), Mailbox::new(&table.world));
        let register = RegisterAuthority {
            certificate: certificate(&id, &key, mailbox.address()),
            genesis: Some(mailbox.genesis.clone()),
            wraps: mailbox.wraps(),
        };
        request(move |app| {
            let register = register.clone();
            async move { app.register_authority(register).await }
        })
    };
    Table::new().await.run(true, add).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoking_an_authority() {
    let revoke = async |table: &mut Table| {
        let other = table.other().await;
        let revocations = vec![revocation(&format!("amt-{}", table.made), &other.key)];
        request(move |app| {
            let revocations = revocations.clone();
            async move { app.revoke_authority(revocations).await }
        })
    };
    Table::new().await.run(true, revoke).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn making_codes() {
    let make = async |_: &mut Table| {
        request(
            |app| async move { app.create_codes(3, TrustLevel::Low).await.map(|codes| codes.codes.len()) },
        )
    };
    Table::new().await.run(true, make).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn suspending_a_mailbox() {
    let suspend = async |table: &mut Table| {
        let address = table.anna.address();
        request(move |app| async move { app.suspend_mailbox(address, true).await })
    };
    Table::new().await.run(true, suspend).await;
}
