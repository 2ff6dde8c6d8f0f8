//! What a commit tells the other nodes: how far the logs go now, whom the new events concern, which keys ended. As short
//! as it can be; nothing of a message, and nothing that a node would have to believe.

use std::collections::BTreeSet;

use postfach_domain::id::{KeyId, Party};
use serde::{Deserialize, Serialize};

use crate::evidence::LogName;
use crate::logs::Snapshot;
use crate::storage::NOTICE_LEN;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Leaves of the keys log.
    pub(crate) keys_size: u64,
    /// Leaves of the evidence log.
    pub(crate) evidence_size: u64,
    /// Whom it concerns; `None` where that is too long to say: everybody.
    pub(crate) concerned: Option<Concerned>,
}

/// Whom a commit concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Concerned {
    /// Numbers of mailboxes: events of messages to them, or of their own acts.
    pub(crate) received: BTreeSet<u64>,
    /// Numbers of parties: events of messages that they sent.
    pub(crate) sent: BTreeSet<u64>,
    /// Keys that stopped being active.
    pub(crate) struck: Vec<(Party, KeyId)>,
}

/// The same on its way. What is left out is empty.
#[derive(Serialize, Deserialize)]
struct Wire {
    keys: u64,
    evidence: u64,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    received: BTreeSet<u64>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    sent: BTreeSet<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    struck: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    everybody: bool,
}

impl Notice {
    /// Of a commit that leaves the logs in this state.
    pub(crate) fn of(state: &Snapshot, concerned: Concerned) -> Self {
        let (keys_size, evidence_size) = (state.size(LogName::Keys), state.size(LogName::Evidence));
        Self { keys_size, evidence_size, concerned: Some(concerned) }
    }

    /// As it is announced.
    pub(crate) fn encode(&self) -> String {
        let text = self.write(self.concerned.as_ref());
        if text.len() <= NOTICE_LEN { text } else { self.write(None) }
    }

    fn write(&self, concerned: Option<&Concerned>) -> String {
        let everybody = concerned.is_none();
        let Concerned { received, sent, struck } = concerned.cloned().unwrap_or_default();
        let struck = struck.iter().map(|(party, key)| (party.issuer(), key.to_string())).collect();
        let (keys, evidence) = (self.keys_size, self.evidence_size);
        let wire = Wire { keys, evidence, received, sent, struck, everybody };
        // Safe because numbers and texts always have a form in JSON.
        serde_json::to_string(&wire).expect("a notice encodes")
    }

    /// What was announced; `None` where this version does not understand it, which says that anything may have changed.
    pub(crate) fn decode(text: &str) -> Option<Self> {
        let Wire { keys, evidence, received, sent, struck, everybody } = serde_json::from_str(text).ok()?;
        let key =
            |(party, key): (String, String)| Some((Party::from_issuer(&party).ok()?, key.parse().ok()?));
        let struck = struck.into_iter().map(key).collect::<Option<_>>()?;
        let concerned = (!everybody).then_some(Concerned { received, sent, struck });
        Some(Self { keys_size: keys, evidence_size: evidence, concerned })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::id::Address;

    use super::*;

    fn notice(received: impl IntoIterator<Item = u64>) -> Notice {
        let concerned = Concerned {
            received: received.into_iter().collect(),
            sent: [3].into(),
            struck: vec![
                (Party::Mailbox(Address([7; 32])), KeyId([1; 32])),
                (Party::Authority("amt".parse().unwrap()), KeyId([2; 32])),
            ],
        };
        Notice { keys_size: 9, evidence_size: u64::from(u32::MAX), concerned: Some(concerned) }
    }

    #[test]
    fn notices_come_back() {
        let short = notice([1, u64::MAX >> 1]);
        assert_eq!(Notice::decode(&short.encode()).unwrap(), short);
        let nobody = Notice { concerned: Some(Concerned::default()), ..short };
        assert_eq!(nobody.encode(), r#"{"keys":9,"evidence":4294967295}"#);
        assert_eq!(Notice::decode(&nobody.encode()).unwrap(), nobody);
    }

    #[test]
    fn what_is_too_long_concerns_everybody() {
        let long = notice(1_000_000..1_001_000);
        let told = Notice::decode(&long.encode()).unwrap();
        assert_eq!(told, Notice { concerned: None, ..long });
        let fits = notice(1_000_000..1_000_900);
        assert!(fits.encode().len() <= NOTICE_LEN);
        assert_eq!(Notice::decode(&fits.encode()).unwrap(), fits);
    }

    #[test]
    fn what_another_version_says_is_not_guessed_at() {
        for text in ["", "news", "{}", r#"{"keys":1}"#, r#"{"keys":-1,"evidence":1}"#] {
            assert_eq!(Notice::decode(text), None, "{text}");
        }
        let odd = r#"{"keys":1,"evidence":1,"struck":[["amt","no key"]]}"#;
        assert_eq!(Notice::decode(odd), None);
    }
}
