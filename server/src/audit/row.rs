//! One delivery as JSON, as a line of text and as a CSV record.

use postfach_domain::id::{Address, MessageId};
use postfach_domain::terms::LegalRegime;
use postfach_domain::time::Timestamp;
use postfach_proto::v1::Delivery;
use serde_json::{Map, Value, json};

/// Head line of a CSV export.
pub const COLUMNS: &[&str] = &[
    "message_id",
    "authority_id",
    "sender_address",
    "address",
    "kind",
    "regime",
    "stages",
    "times",
    "cover_bytes",
    "letter_bytes",
    "attachments",
    "attachment_bytes",
];

/// A delivery whose ids were turned into text.
pub struct Row {
    message_id: String,
    sender_address: Option<String>,
    address: String,
    regime: Option<&'static str>,
    delivery: Delivery,
}

impl Row {
    /// Ids of a wrong length, which a server does not send, become empty.
    pub fn of(delivery: Delivery) -> Self {
        let address = |bytes: &[u8]| Address::try_from(bytes).map(|address| address.to_string()).ok();
        Self {
            message_id: MessageId::try_from(delivery.message_id.as_slice())
                .map(|id| id.to_string())
                .unwrap_or_default(),
            sender_address: address(&delivery.sender_address),
            address: address(&delivery.recipient).unwrap_or_default(),
            regime: LegalRegime::from_wire(delivery.regime).map(LegalRegime::as_str),
            delivery,
        }
    }

    fn authority(&self) -> Option<&str> {
        Some(self.delivery.authority_id.as_str()).filter(|id| !id.is_empty())
    }

    /// One JSON object. `stages` in the order of the log; `times` has the first instant of each.
    pub fn json(&self) -> Value {
        let stages = self.delivery.stages.iter().map(|stage| {
            json!({ "stage": stage.stage, "at": time(stage.at), "evidence_index": stage.evidence_index })
        });
        let mut times = Map::new();
        for stage in &self.delivery.stages {
            times.entry(&stage.stage).or_insert_with(|| time(stage.at).into());
        }
        json!({
            "message_id": self.message_id,
            "authority_id": self.authority(),
            "sender_address": self.sender_address,
            "address": self.address,
            "kind": self.delivery.kind,
            "regime": self.regime,
            "stages": stages.collect::<Vec<_>>(),
            "times": times,
            "sizes": {
                "cover": self.delivery.cover_length,
                "letter": self.delivery.letter_length,
                "attachments": self.delivery.attachment_count,
                "attachment_bytes": self.delivery.attachment_length,
            },
        })
    }

    /// One line for a person.
    pub fn text(&self) -> String {
        let accepted = self.delivery.stages.first().map(|stage| time(stage.at)).unwrap_or_default();
        let stages: Vec<_> = self.delivery.stages.iter().map(|stage| stage.stage.as_str()).collect();
        let sender = self.authority().or(self.sender_address.as_deref()).unwrap_or("-");
        let bytes =
            self.delivery.cover_length + self.delivery.letter_length + self.delivery.attachment_length;
        format!(
            "{accepted}  {}  {sender} -> {}  {bytes} B  {}",
            self.message_id,
            self.address,
            stages.join(", ")
        )
    }

    /// One CSV record, in the order of [`COLUMNS`].
    pub fn record(&self) -> Vec<String> {
        let join = |part: fn(&postfach_proto::v1::DeliveryStage) -> String| {
            self.delivery.stages.iter().map(part).collect::<Vec<_>>().join(" ")
        };
        vec![
            self.message_id.clone(),
            self.authority().unwrap_or_default().to_owned(),
            self.sender_address.clone().unwrap_or_default(),
            self.address.clone(),
            self.delivery.kind.clone(),
            self.regime.unwrap_or_default().to_owned(),
            join(|stage| stage.stage.clone()),
            join(|stage| time(stage.at)),
            self.delivery.cover_length.to_string(),
            self.delivery.letter_length.to_string(),
            self.delivery.attachment_count.to_string(),
            self.delivery.attachment_length.to_string(),
        ]
    }
}

fn time(ms: u64) -> String {
    Timestamp(ms).to_rfc3339()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use postfach_proto::v1::DeliveryStage;

    fn row() -> Row {
        let stage = |name: &str, at, evidence_index| DeliveryStage { stage: name.into(), at, evidence_index };
        Row::of(Delivery {
            message_id: vec![1; 16],
            authority_id: "amt".into(),
            recipient: vec![2; 32],
            kind: "notice".into(),
            regime: LegalRegime::Ozg9.to_wire(),
            stages: vec![stage("ACCEPTED", 1_795_000_000_000, 4), stage("HANDED_OVER", 1_795_000_001_000, 7)],
            letter_length: 9,
            ..Delivery::default()
        })
    }

    #[test]
    fn the_json_of_the_contract() {
        let json = row().json();
        assert_eq!(json["authority_id"], "amt");
        assert_eq!(json["stages"][1]["evidence_index"], 7);
        assert_eq!(json["times"]["ACCEPTED"], json["stages"][0]["at"]);
        assert!(json["times"]["ACCEPTED"].as_str().unwrap().ends_with('Z'));
        assert_eq!((json["sizes"]["letter"].as_u64(), &json["sender_address"]), (Some(9), &Value::Null));
        assert!(json["address"].as_str().unwrap().starts_with("mpf1"));
    }

    #[test]
    fn a_record_has_every_column() {
        let record = row().record();
        assert_eq!(record.len(), COLUMNS.len());
        assert_eq!(record[6], "ACCEPTED HANDED_OVER");
    }
}
