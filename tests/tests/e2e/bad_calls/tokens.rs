//! Callers without a token, with a wrong one, or with one of somebody who may not.

use postfach_domain::id::{Address, Party};
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use postfach_proto::v1;
use postfach_server::auth::token;
use postfach_server::clock::{Clock as _, SystemClock};

use super::wire::{Answer, Call};
use super::{Kind, Scene, origin, token_of};

pub const KINDS: &[Kind] = &[
    Kind { what: "no token", answer: "Unauthenticated TOKEN_MISSING", call: |s| s.call(chain()) },
    Kind { what: "an empty token", answer: "Unauthenticated TOKEN_MALFORMED", call: |s| s.with("") },
    Kind {
        what: "noise as a token",
        answer: "Unauthenticated TOKEN_MALFORMED",
        call: |s| s.with("noise.noise.noise"),
    },
    Kind {
        what: "a token of 10 KiB",
        answer: "Unauthenticated TOKEN_MALFORMED",
        call: |s| s.with(&"a".repeat(10_240)),
    },
    Kind {
        what: "a user name and password",
        answer: "Unauthenticated TOKEN_MISSING",
        call: |s| s.call(chain().header("authorization", "Basic YTpi")),
    },
    Kind {
        what: "two tokens",
        answer: "Unauthenticated TOKEN_MISSING",
        call: |s| {
            let token = token_of(s.reader(true));
            s.call(chain().token(&token).also("authorization", &format!("Bearer {token}")))
        },
    },
    Kind {
        what: "a token that is cut",
        answer: "Unauthenticated TOKEN_WRONG_SIGNATURE",
        call: |s| {
            let token = token_of(s.reader(true));
            s.with(&token[..token.len() - 2])
        },
    },
    Kind {
        what: "a token without its signature",
        answer: "Unauthenticated TOKEN_WRONG_SIGNATURE",
        call: |s| {
            let token = token_of(s.reader(true));
            s.with(&token[..=token.rfind('.').unwrap()])
        },
    },
    Kind {
        what: "a token with somebody else's signature",
        answer: "Unauthenticated TOKEN_WRONG_SIGNATURE",
        call: |s| {
            let (mine, theirs) = (token_of(s.reader(true)), token_of(s.reader(false)));
            s.with(&format!("{}{}", &mine[..mine.rfind('.').unwrap()], &theirs[theirs.rfind('.').unwrap()..]))
        },
    },
    Kind {
        what: "a token of another owner with my key",
        answer: "Unauthenticated KEY_NOT_ACTIVE",
        call: |s| s.with(&token_of((s.reader(true).0, s.reader(false).1))),
    },
    Kind {
        what: "a token of somebody unknown",
        answer: "Unauthenticated KEY_NOT_ACTIVE",
        call: |s| s.with(&token_of((Party::Mailbox(Address([3; 32])), &SecretKey::from_seed(&[3; 32])))),
    },
    Kind {
        what: "a token that has expired",
        answer: "Unauthenticated TOKEN_EXPIRED",
        call: |s| s.dated(-700, 60),
    },
    Kind {
        what: "a token from the future",
        answer: "Unauthenticated TOKEN_TIME_OFF",
        call: |s| s.dated(700, 60),
    },
    Kind {
        what: "a token for an hour",
        answer: "Unauthenticated TOKEN_LIFE_TOO_LONG",
        call: |s| s.dated(0, 3600),
    },
    Kind {
        what: "a token for another service",
        answer: "Unauthenticated TOKEN_WRONG_AUDIENCE",
        call: |s| {
            let (party, key) = s.reader(true);
            let other = "other.example".parse().unwrap();
            s.with(&token::make(key, &party, &other, SystemClock.now(), 60).unwrap())
        },
    },
    Kind {
        what: "a citizen asks like an authority",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            let message_id = s.letters[0].id.to_vec();
            s.as_reader(
                "DeliveryService/GetDelivery",
                &v1::GetDeliveryRequest { message_id, include_content: true },
            )
        },
    },
    Kind {
        what: "an authority's clerk asks like a mailbox",
        answer: "PermissionDenied NOT_ALLOWED",
        call: |s| s.as_sender("MailboxService/Sync", &v1::SyncRequest::default()),
    },
    Kind {
        what: "Register without a token",
        answer: "Unauthenticated TOKEN_MISSING",
        call: |s| s.call(Call::to("MailboxService/Register", &v1::RegisterRequest::default())),
    },
    Kind {
        what: "Register with nothing in it",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.as_reader("MailboxService/Register", &v1::RegisterRequest::default()),
    },
    Kind {
        what: "a token of an authority that was revoked",
        answer: "Unauthenticated KEY_NOT_ACTIVE",
        call: |s| s.with(&token_of(s.other_authority())),
    },
];

fn chain() -> Call {
    Call::to("MailboxService/GetChain", &v1::GetChainRequest {})
}

impl Scene {
    fn with(&self, token: &str) -> Answer {
        self.call(chain().token(token))
    }

    /// A token issued so many seconds from now.
    fn dated(&self, after: i64, life: u64) -> Answer {
        let (party, key) = self.reader(true);
        let issued = Timestamp(SystemClock.now().0.saturating_add_signed(after * 1000));
        self.with(&token::make(key, &party, &origin(), issued, life).unwrap())
    }
}
