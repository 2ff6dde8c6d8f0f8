//! gRPC whose frames, protobuf or fields are wrong or too large.

use postfach_domain::limits;
use postfach_proto::v1;
use prost::Message as _;

use super::wire::{Answer, Call, framed, grpc};
use super::{Kind, Scene, token_of};

pub const KINDS: &[Kind] = &[
    Kind {
        what: "compressed without saying how",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.chain_body(framed(1, 3, b"abc")),
    },
    Kind {
        what: "compressed in an unknown way",
        answer: "Unimplemented UNIMPLEMENTED",
        call: |s| s.call(s.chain_call(framed(1, 3, b"abc")).header("grpc-encoding", "zip-of-mine")),
    },
    Kind {
        what: "compressed by gzip, which the server does not take",
        answer: "Unimplemented UNIMPLEMENTED",
        call: |s| s.call(s.chain_call(framed(1, 3, b"abc")).header("grpc-encoding", "gzip")),
    },
    Kind {
        what: "a compression flag of 7",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.chain_body(framed(7, 0, b"")),
    },
    Kind { what: "no message", answer: "InvalidArgument BAD_REQUEST", call: |s| s.chain_body(Vec::new()) },
    Kind {
        what: "half a frame's head",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.chain_body(vec![0, 0]),
    },
    Kind {
        what: "a length beyond the body",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.chain_body(framed(0, 100, b"abc")),
    },
    Kind {
        what: "a length of 4 GiB",
        answer: "ResourceExhausted MESSAGE_TOO_LARGE",
        call: |s| s.chain_body(framed(0, u32::MAX, b"abc")),
    },
    Kind {
        what: "two messages in a call of one: the first counts",
        answer: "Ok",
        call: |s| s.chain_body([grpc(b""), grpc(b"")].concat()),
    },
    Kind {
        what: "a message and noise",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.chain_body([grpc(b""), vec![0; 3]].concat()),
    },
    Kind {
        what: "noise instead of protobuf",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.sync_body(&[0xff; 64]),
    },
    Kind {
        what: "protobuf cut in the middle",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.sync_body(&[0x0a, 0x10, b'i']),
    },
    Kind {
        what: "protobuf nested a thousand deep",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.sync_body(&[0x1b; 1000]),
    },
    Kind {
        what: "text that is not UTF-8",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.sync_body(&[0x0a, 2, 0xc3, 0x28]),
    },
    Kind {
        what: "a batch of a million times nothing",
        answer: "InvalidArgument BAD_REQUEST",
        call: |s| s.batch_body(&[0x0a, 0].repeat(1 << 20)),
    },
    Kind {
        what: "a message over 4 MiB",
        answer: "ResourceExhausted MESSAGE_TOO_LARGE",
        call: |s| s.sync_body(&vec![0; limits::MESSAGE_LEN + 1]),
    },
    Kind {
        what: "a message over 4 MiB of somebody without a token",
        answer: "ResourceExhausted MESSAGE_TOO_LARGE",
        call: |s| {
            s.call(Call::with_body("InfoService/GetServerInfo", grpc(&vec![0; limits::MESSAGE_LEN + 1])))
        },
    },
    Kind {
        what: "a segment call over 4 MiB + 64 KiB",
        answer: "ResourceExhausted MESSAGE_TOO_LARGE",
        call: |s| s.segment(limits::SEGMENT_CALL_LEN),
    },
    Kind { what: "a segment over 4 MiB", answer: "NotFound NOT_FOUND", call: |s| s.segment((4 << 20) + 1) },
    Kind {
        what: "a page of more than 500",
        answer: "InvalidArgument PAGE_TOO_LARGE",
        call: |s| s.sync("", 501),
    },
    Kind { what: "a page of -1", answer: "InvalidArgument PAGE_TOO_LARGE", call: |s| s.sync("", u32::MAX) },
    Kind {
        what: "a cursor that is noise",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.sync("noise", 1),
    },
    Kind {
        what: "a cursor below zero",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.sync("i.-1", 1),
    },
    Kind {
        what: "a cursor beyond 64 bits",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.sync("i.18446744073709551616", 1),
    },
    Kind {
        what: "a cursor of a megabyte",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.sync(&"i".repeat(1 << 20), 1),
    },
    Kind { what: "a cursor far beyond the log", answer: "Ok", call: |s| s.sync("i.9223372036854775807", 1) },
    Kind {
        what: "an id that is too short",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.delivery(vec![7; 15]),
    },
    Kind { what: "an empty id", answer: "InvalidArgument INVALID_FIELD", call: |s| s.delivery(Vec::new()) },
    Kind {
        what: "an id of a megabyte",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.delivery(vec![7; 1 << 20]),
    },
    Kind { what: "no submission", answer: "InvalidArgument INVALID_FIELD", call: |s| s.deliver(None) },
    Kind {
        what: "an empty submission",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.deliver(Some(v1::Submission::default())),
    },
    Kind {
        what: "a signature of 63 bytes",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            s.changed(|submission| {
                submission.signature.as_mut().unwrap().sig.pop();
            })
        },
    },
    Kind {
        what: "an unknown signature algorithm",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.changed(|submission| submission.signature.as_mut().unwrap().alg = 2),
    },
    Kind {
        what: "an outer header with an unknown legal regime",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            s.changed(|submission| {
                let mut outer = postfach_domain::format::Outer::decode(submission.outer.as_ref()).unwrap();
                outer.regime = 77;
                submission.outer = outer.encode_to_vec().into();
            })
        },
    },
    Kind {
        what: "a letter changed by one bit",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            s.changed(|submission| {
                let mut letter = submission.letter_envelope.to_vec();
                letter[2000] ^= 1;
                submission.letter_envelope = letter.into();
            })
        },
    },
    Kind {
        what: "a letter of 2 MiB",
        answer: "InvalidArgument LETTER_TOO_LARGE",
        call: |s| s.changed(|submission| submission.letter_envelope = vec![0; 2 << 20].into()),
    },
    Kind { what: "a batch of 101", answer: "InvalidArgument BATCH_TOO_LARGE", call: |s| s.batch(101) },
    Kind { what: "an empty batch", answer: "InvalidArgument INVALID_FIELD", call: |s| s.batch(0) },
    Kind {
        what: "a log that does not exist",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.as_reader("EvidenceService/GetCheckpoint", &v1::GetCheckpointRequest { log: 77 }),
    },
    Kind {
        what: "a proof for sizes beyond the log",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            let request = v1::GetConsistencyProofRequest { log: 2, sizes: vec![u64::MAX] };
            s.as_reader("EvidenceService/GetConsistencyProof", &request)
        },
    },
    Kind {
        what: "proofs for a hundred thousand sizes",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            let request = v1::GetConsistencyProofRequest { log: 2, sizes: vec![1; 100_000] };
            s.as_reader("EvidenceService/GetConsistencyProof", &request)
        },
    },
    Kind { what: "an upload of nothing", answer: "InvalidArgument INVALID_FIELD", call: |s| s.upload(0) },
    Kind {
        what: "an upload of more than there may be",
        answer: "InvalidArgument ATTACHMENT_TOO_LARGE",
        call: |s| s.upload(u64::MAX),
    },
    Kind {
        what: "an act without a body",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.as_reader("MailboxService/SubmitAct", &v1::SubmitActRequest { act: None }),
    },
];

impl Scene {
    fn chain_call(&self, body: Vec<u8>) -> Call {
        Call::with_body("MailboxService/GetChain", body).token(&token_of(self.reader(true)))
    }

    fn chain_body(&self, body: Vec<u8>) -> Answer {
        self.call(self.chain_call(body))
    }

    fn sync_body(&self, message: &[u8]) -> Answer {
        self.call(Call::with_body("MailboxService/Sync", grpc(message)).token(&token_of(self.reader(true))))
    }

    fn sync(&self, cursor: &str, page_size: u32) -> Answer {
        self.as_reader("MailboxService/Sync", &v1::SyncRequest { cursor: cursor.to_owned(), page_size })
    }

    pub fn as_reader(&self, method: &str, message: &impl prost::Message) -> Answer {
        self.call(Call::to(method, message).token(&token_of(self.reader(true))))
    }

    pub fn as_sender(&self, method: &str, message: &impl prost::Message) -> Answer {
        self.call(Call::to(method, message).token(&token_of(self.sender())))
    }

    fn segment(&self, length: usize) -> Answer {
        let request =
            v1::WriteSegmentRequest { attachment_id: vec![9; 16], index: 0, data: vec![0; length].into() };
        self.as_sender("AttachmentService/WriteSegment", &request)
    }

    fn delivery(&self, message_id: Vec<u8>) -> Answer {
        self.as_sender(
            "DeliveryService/GetDelivery",
            &v1::GetDeliveryRequest { message_id, include_content: true },
        )
    }

    pub fn deliver(&self, submission: Option<v1::Submission>) -> Answer {
        self.as_sender("DeliveryService/Deliver", &v1::DeliverRequest { submission, validate_only: false })
    }

    /// A letter that was never delivered, with something changed.
    fn changed(&self, change: impl FnOnce(&mut v1::Submission)) -> Answer {
        let fresh = self.fresh();
        let mut submission = self.submission(fresh);
        change(&mut submission);
        let token = token_of(self.authority(self.letters[fresh].sender));
        let request = v1::DeliverRequest { submission: Some(submission), validate_only: false };
        self.call(Call::to("DeliveryService/Deliver", &request).token(&token))
    }

    fn batch(&self, count: usize) -> Answer {
        let submissions = vec![v1::Submission::default(); count];
        let request = v1::DeliverBatchRequest { submissions, validate_only: false };
        self.as_sender("DeliveryService/DeliverBatch", &request)
    }

    fn batch_body(&self, message: &[u8]) -> Answer {
        let token = token_of(self.sender());
        self.call(Call::with_body("DeliveryService/DeliverBatch", grpc(message)).token(&token))
    }

    fn upload(&self, ct_len: u64) -> Answer {
        let request = v1::CreateUploadRequest { attachment_id: vec![9; 16], ct_len };
        self.as_sender("AttachmentService/CreateUpload", &request)
    }
}
