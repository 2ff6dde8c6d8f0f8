//! Callers who send too slowly, or do not read what they asked for.

use std::time::{Duration, Instant};

use postfach_domain::limits;
use postfach_proto::v1;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::wire::{Answer, Call, PREFACE};
use super::{Kind, Scene, token_of};

/// What the server may have in memory while answers wait for a caller, in KiB: 16 segments of 4 MiB, the next of each,
/// and itself.
const MOST: u64 = 224 * 1024;

pub const KINDS: &[Kind] = &[
    Kind {
        what: "a handshake, a preface, an HTTP/1.1 head that never get on: eight of each",
        answer: "closed after 10 s",
        call: Scene::stalls,
    },
    Kind {
        what: "a body of one byte at a time beyond the deadline",
        answer: "DeadlineExceeded DEADLINE_EXCEEDED",
        call: |s| {
            let body = s.slow_call().header("grpc-timeout", "1S");
            s.call(body.slowly(1, Duration::from_millis(150)))
        },
    },
    Kind {
        what: "a body that never ends",
        answer: "DeadlineExceeded DEADLINE_EXCEEDED",
        call: |s| s.call(s.slow_call().header("grpc-timeout", "500m").without_end()),
    },
    Kind {
        what: "a deadline of nothing",
        answer: "DeadlineExceeded DEADLINE_EXCEEDED",
        call: |s| s.call(s.slow_call().header("grpc-timeout", "0n")),
    },
    Kind {
        what: "a deadline of eleven thousand years",
        answer: "Ok",
        call: |s| s.call(s.slow_call().header("grpc-timeout", "99999999H")),
    },
    Kind {
        what: "a deadline that is none",
        answer: "Ok",
        call: |s| s.call(s.slow_call().header("grpc-timeout", "soon")),
    },
    Kind {
        what: "250 answers that nobody reads",
        answer: "held back",
        call: |s| {
            let call = Call::to("MailboxService/GetChain", &v1::GetChainRequest {});
            s.unread(&call.token(&token_of(s.reader(true))), 250, 250)
        },
    },
    Kind {
        what: "the same attachment 64 times, and nobody reads it",
        answer: "ResourceExhausted TOO_MANY_READERS",
        call: |s| {
            let (message_id, attachment_id) = (s.id(true), s.attachment());
            let read = v1::ReadSegmentsRequest { message_id, attachment_id, first: 0, count: 0 };
            let call = Call::to("AttachmentService/ReadSegments", &read);
            s.unread(&call.token(&token_of(s.sender())), 64, limits::READ_STREAMS)
        },
    },
];

impl Scene {
    fn slow_call(&self) -> Call {
        let sync = v1::SyncRequest { cursor: "i.0".to_owned(), page_size: 5 };
        Call::to("MailboxService/Sync", &sync).token(&token_of(self.reader(true)))
    }

    /// Connections that stop in the middle of their beginning are ended, whatever they began.
    fn stalls(&self) -> Answer {
        let began = Instant::now();
        let limit = Duration::from_secs(limits::HANDSHAKE_SECONDS);
        let ended = self.run(async {
            let mut waiting = tokio::task::JoinSet::new();
            for number in 0..32 {
                let wire = self.wire.clone();
                waiting.spawn(async move {
                    let mut byte = [0; 1000];
                    // A hello that says it has 200 bytes; nothing; half a preface; half a head.
                    let end = if number % 4 == 0 {
                        let mut tcp = wire.tcp().await;
                        tcp.write_all(&[22, 3, 1, 0, 200, 1]).await.unwrap();
                        timeout(limit * 2, async { while matches!(tcp.read(&mut byte).await, Ok(1..)) {} })
                            .await
                    } else {
                        let mut tls = wire.tls().await;
                        let said = [&b""[..], &PREFACE[..10], &b"GET / HTTP/1.1\r\nX:"[..]][number % 4 - 1];
                        tls.write_all(said).await.unwrap();
                        tls.flush().await.unwrap();
                        timeout(limit * 2, async { while matches!(tls.read(&mut byte).await, Ok(1..)) {} })
                            .await
                    };
                    (number % 4, end.is_ok(), began.elapsed())
                });
            }
            waiting.join_all().await
        });
        let late = |(_, ended, after): &&(usize, bool, Duration)| {
            !ended || *after + Duration::from_secs(1) < limit || *after > limit + Duration::from_secs(3)
        };
        let late: Vec<_> = ended.iter().filter(late).collect();
        Answer::of(if late.is_empty() { "closed after 10 s".to_owned() } else { format!("{late:?}") })
    }

    /// Many calls on one connection whose window is closed: so many are held, the others answered.
    fn unread(&self, call: &Call, count: usize, held: usize) -> Answer {
        let mut answers = self.run(async {
            let mut settings = h2::client::Builder::new();
            settings.initial_window_size(0);
            let sender = self.wire.h2_with(&settings).await;
            let mut waiting = tokio::task::JoinSet::new();
            for _ in 0..count {
                let (call, sender) = (call.clone(), sender.clone());
                waiting.spawn(async move { timeout(Duration::from_secs(1), call.on(sender)).await.ok() });
            }
            let answers = waiting.join_all().await;
            let memory = self.memory();
            assert!(memory < MOST, "the server has {memory} KiB");
            answers
        });
        answers.retain(Option::is_some);
        assert_eq!(count - answers.len(), held, "{answers:?}");
        answers.pop().flatten().unwrap_or_else(|| Answer::of("held back"))
    }
}
