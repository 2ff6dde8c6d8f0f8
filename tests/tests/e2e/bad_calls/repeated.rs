//! Calls that came before, and calls about what is somebody else's: the answer is the same as for what does not exist.

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::format::Signed;
use postfach_domain::head::ChainHead;
use postfach_domain::id::{ActId, Party};
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_proto::v1;
use postfach_server::clock::{Clock as _, SystemClock};
use prost::Message;

use super::wire::{Answer, Call};
use super::{Kind, Scene, origin, token_of};

pub const KINDS: &[Kind] = &[
    Kind {
        what: "the same delivery again",
        answer: "Ok",
        call: |s| {
            let submission = || Some(s.submission(0));
            let first: v1::DeliverResponse = s.deliver(submission()).message();
            let answer = s.deliver(submission());
            let again: v1::DeliverResponse = answer.message();
            assert_eq!(first.event, again.event, "one receipt");
            answer
        },
    },
    Kind {
        what: "the same delivery by another authority",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.delivers(0, s.other_authority()),
    },
    Kind {
        what: "a delivery that another authority signed",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            let fresh = s.fresh();
            let answer = s.delivers(fresh, s.authority(1 - s.letters[fresh].sender));
            assert_eq!(answer.said, s.delivers(0, s.other_authority()).said, "as for one that is there");
            answer
        },
    },
    Kind {
        what: "a delivery by a citizen that an authority signed",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| s.delivers(0, s.reader(true)),
    },
    Kind {
        what: "an attachment that is not there",
        answer: "FailedPrecondition ATTACHMENT_NOT_READY",
        call: |s| s.delivers(1, s.authority(s.letters[1].sender)),
    },
    Kind {
        what: "somebody else's hand-over again",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            s.alike("MailboxService/HandOver", s.reader(false), |known| {
                let act = s.act(s.reader(true), ActType::HandedOver, s.about_or_unknown(known), [1; 16]);
                v1::HandOverRequest { message_id: s.id(known), act: Some(act) }
            })
        },
    },
    Kind {
        what: "somebody else's letter without an act",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            s.alike("MailboxService/HandOver", s.reader(false), |known| v1::HandOverRequest {
                message_id: s.id(known),
                act: None,
            })
        },
    },
    Kind {
        what: "an act about somebody else's message",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            s.alike("MailboxService/SubmitAct", s.reader(false), |known| v1::SubmitActRequest {
                act: Some(s.act(s.reader(false), ActType::Disputed, s.about_or_unknown(known), [2; 16])),
            })
        },
    },
    Kind {
        what: "an act that somebody else signed",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            let act = Some(s.act(s.reader(true), ActType::Disputed, s.about(0), [3; 16]));
            s.calls("MailboxService/SubmitAct", s.reader(false), &v1::SubmitActRequest { act })
        },
    },
    Kind {
        what: "a withdrawal of somebody else's message",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            s.alike("DeliveryService/Withdraw", s.other_authority(), |known| {
                let message = s.about_or_unknown(known);
                let act = s.act(s.other_authority(), ActType::Withdrawn, message, [4; 16]);
                v1::WithdrawRequest { act: Some(act) }
            })
        },
    },
    Kind {
        what: "somebody else's delivery",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            s.alike("DeliveryService/GetDelivery", s.other_authority(), |known| v1::GetDeliveryRequest {
                message_id: s.id(known),
                include_content: true,
            })
        },
    },
    Kind {
        what: "receipts of somebody else's message",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            let request = |known| v1::GetReceiptsRequest { message_id: s.id(known) };
            s.alike("EvidenceService/GetReceipts", s.other_authority(), request);
            s.alike("EvidenceService/GetReceipts", s.reader(false), request)
        },
    },
    Kind {
        what: "segments of somebody else's attachment",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            s.alike("AttachmentService/ReadSegments", s.reader(false), |known| v1::ReadSegmentsRequest {
                message_id: s.id(known),
                attachment_id: s.attachment(),
                first: 0,
                count: 0,
            })
        },
    },
    Kind {
        what: "segment hashes of somebody else's attachment",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            s.alike("AttachmentService/ListSegmentHashes", s.other_authority(), |known| {
                v1::ListSegmentHashesRequest {
                    message_id: s.id(known),
                    attachment_id: s.attachment(),
                    ..Default::default()
                }
            })
        },
    },
    Kind {
        what: "segments before the hand-over",
        answer: "FailedPrecondition NOT_HANDED_OVER",
        call: |s| {
            let (message_id, attachment_id) = (s.id(true), s.attachment());
            let request = v1::ReadSegmentsRequest { message_id, attachment_id, first: 0, count: 0 };
            s.as_reader("AttachmentService/ReadSegments", &request)
        },
    },
    Kind {
        what: "a segment for somebody else's upload",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            s.alike("AttachmentService/WriteSegment", s.other_authority(), |known| v1::WriteSegmentRequest {
                attachment_id: if known { s.attachment() } else { vec![9; 16] },
                index: 0,
                data: vec![1; 100].into(),
            })
        },
    },
    Kind {
        what: "another segment for an upload that is complete",
        answer: "InvalidArgument INVALID_FIELD",
        call: |s| {
            let request = v1::WriteSegmentRequest {
                attachment_id: s.attachment(),
                index: 0,
                data: vec![1; 4 << 20].into(),
            };
            s.as_sender("AttachmentService/WriteSegment", &request)
        },
    },
    Kind {
        what: "the state of somebody else's upload",
        answer: "NotFound NOT_FOUND",
        call: |s| {
            s.alike("AttachmentService/GetUpload", s.other_authority(), |known| v1::GetUploadRequest {
                attachment_id: if known { s.attachment() } else { vec![9; 16] },
            })
        },
    },
    Kind {
        what: "somebody else's registration again",
        answer: "Unauthenticated KEY_NOT_ACTIVE",
        call: |s| {
            let (party, key) = s.reader(false);
            let chain: v1::GetChainResponse =
                s.calls("MailboxService/GetChain", (party.clone(), key), &v1::GetChainRequest {}).message();
            let genesis = chain.chain.unwrap().links.into_iter().next();
            let register = v1::RegisterRequest {
                genesis,
                wraps: Vec::new(),
                code_id: vec![1; 32],
                proof: vec![1; 32],
                consent: None,
            };
            s.calls("MailboxService/Register", s.reader(true), &register)
        },
    },
];

impl Scene {
    fn calls(&self, method: &str, caller: (Party, &SecretKey), message: &impl Message) -> Answer {
        self.call(Call::to(method, message).token(&token_of(caller)))
    }

    /// Asks about what exists and about what does not: nobody can tell the answers apart.
    fn alike<M: Message>(
        &self,
        method: &str,
        caller: (Party, &SecretKey),
        ask: impl Fn(bool) -> M,
    ) -> Answer {
        let (party, key) = caller;
        let known = self.calls(method, (party.clone(), key), &ask(true));
        let unknown = self.calls(method, (party, key), &ask(false));
        assert_eq!((&known.text, &known.said), (&unknown.text, &unknown.said), "{method}");
        known
    }

    fn delivers(&self, letter: usize, caller: (Party, &SecretKey)) -> Answer {
        let request = v1::DeliverRequest { submission: Some(self.submission(letter)), validate_only: false };
        self.calls("DeliveryService/Deliver", caller, &request)
    }

    /// The id of the delivered letter, or one that nobody has.
    pub fn id(&self, known: bool) -> Vec<u8> {
        let id = if known { self.letters[0].id } else { self.letters[5].id };
        id.to_vec()
    }

    pub fn attachment(&self) -> Vec<u8> {
        self.letters[0].entry.attachments()[0].id().unwrap().to_vec()
    }

    fn about(&self, letter: usize) -> MessageRef {
        let sent = self.submission(letter);
        let hashes = Hashes::of(&sent.outer, &sent.cover_envelope, &sent.letter_envelope);
        MessageRef {
            message_id: self.letters[letter].id,
            outer_hash: hashes.outer,
            letter_hash: hashes.letter,
        }
    }

    fn about_or_unknown(&self, known: bool) -> MessageRef {
        self.about(if known { 0 } else { 5 })
    }

    fn act(
        &self,
        (actor, key): (Party, &SecretKey),
        act_type: ActType,
        message: MessageRef,
        id: [u8; 16],
    ) -> Signed {
        let actor_head = match &actor {
            Party::Mailbox(_) => Some(self.head((actor.clone(), key))),
            Party::Authority(_) => None,
        };
        let act = Act {
            origin: origin(),
            act_id: ActId(id),
            act_type,
            actor,
            signer: key.key_id(),
            actor_head,
            message: Some(message),
            time: SystemClock.now(),
            reason: if act_type == ActType::Disputed { "NOT_RECEIVED".to_owned() } else { String::new() },
            details: Vec::new(),
        };
        act.sign(key)
    }

    /// The head of a chain with nothing but its genesis.
    fn head(&self, caller: (Party, &SecretKey)) -> ChainHead {
        let chain: v1::GetChainResponse =
            self.calls("MailboxService/GetChain", caller, &v1::GetChainRequest {}).message();
        let links = chain.chain.unwrap().links;
        postfach_domain::chain::Chain::verify(&origin(), &links).unwrap().head()
    }
}

#[test]
fn what_is_said_twice_is_stored_once() {
    let s = Scene::new();
    let mine = || s.reader(true);
    let act = s.act(mine(), ActType::HandedOver, s.about(0), [1; 16]);
    let hand_over = v1::HandOverRequest { message_id: s.id(true), act: Some(act) };
    let first: v1::HandOverResponse = s.calls("MailboxService/HandOver", mine(), &hand_over).message();
    let dispute = |reason: &str| {
        let mut signed = s.act(mine(), ActType::Disputed, s.about(0), [2; 16]);
        let mut act = Act::parse(&signed.body).unwrap();
        if act.reason != reason {
            reason.clone_into(&mut act.reason);
            signed = act.sign(mine().1);
        }
        v1::SubmitActRequest { act: Some(signed) }
    };
    let said = dispute("NOT_RECEIVED");
    let stored: v1::SubmitActResponse = s.calls("MailboxService/SubmitAct", mine(), &said).message();

    let rows = s.rows();
    let again: v1::HandOverResponse = s.calls("MailboxService/HandOver", mine(), &hand_over).message();
    let event = |logged: &Option<v1::LoggedEvent>| {
        logged.as_ref().map(|it| (it.event.clone(), it.salt.clone(), it.index))
    };
    assert_eq!((again.letter_envelope, event(&again.event)), (first.letter_envelope, event(&first.event)));
    let repeated: v1::SubmitActResponse = s.calls("MailboxService/SubmitAct", mine(), &said).message();
    assert_eq!(event(&repeated.event), event(&stored.event));
    let other = s.calls("MailboxService/SubmitAct", mine(), &dispute("LETTER_NOT_RECEIVED"));
    assert_eq!(other.text, "AlreadyExists ACT_ID_REUSED");
    assert_eq!(s.rows(), rows);
    s.d.audit(&[]).ok();
}
