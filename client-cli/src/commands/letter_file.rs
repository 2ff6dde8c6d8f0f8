//! The file of `authority send --letter FILE.json`: every field of letter and outer header that a sender may set.
//! docs/authorities/letter.md documents it, and a test reads the example there.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use postfach_domain::authority::is_iban;
use postfach_domain::id::MessageId;
use postfach_domain::legal::Period;
use postfach_domain::time::Timestamp;
use postfach_envelope::sealed::{Action, BodyType, Instalment, LegalInfo, PaymentRequest};
use serde::{Deserialize, Serialize};

use crate::exit::{Failure, Outcome};
use crate::fail;

/// The whole file. Flags of the command line win over it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LetterFile {
    pub subject: Option<String>,
    pub kind: Option<String>,
    pub kind_detail: Option<String>,
    pub regime: Option<String>,
    pub min_trust_level: Option<String>,
    pub confirmation_requested: Option<bool>,
    pub not_before: Option<String>,
    pub in_reply_to: Option<String>,
    pub body: Option<String>,
    pub body_type: Option<String>,
    pub legal: Option<LegalPart>,
    pub payments: Vec<Payment>,
    pub actions: Vec<ActionPart>,
    pub attachments: Vec<AttachmentPart>,
}

/// What the authority states of the law.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LegalPart {
    pub reference: String,
    pub remedy_instruction: String,
    pub stated_deadline: String,
    pub stated_period: String,
}

/// One request to pay.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_field_names)] // names of the file
pub struct Payment {
    pub creditor: String,
    pub iban: String,
    #[serde(default)]
    pub bic: String,
    pub amount_cents: u64,
    #[serde(default = "eur")]
    pub currency: String,
    #[serde(default)]
    pub reference: String,
    #[serde(default)]
    pub due_date: String,
    #[serde(default)]
    pub instalments: Vec<InstalmentPart>,
    #[serde(default)]
    pub payment_link: String,
}

/// One part of a payment.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstalmentPart {
    pub amount_cents: u64,
    pub due_date: String,
}

/// Something that the reader is asked to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionPart {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    #[serde(default)]
    pub url: String,
    #[serde(default)]
    pub due_date: String,
}

/// A file to attach; paths are relative to the letter file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttachmentPart {
    pub path: PathBuf,
    pub name: Option<String>,
    pub media_type: Option<String>,
}

fn eur() -> String {
    "EUR".to_owned()
}

impl LetterFile {
    /// Reads the text of a file; errors name the place.
    pub fn parse(text: &str, path: &Path) -> Outcome<Self> {
        let mut file: Self = serde_json::from_str(text).map_err(|error| {
            let (name, error) = (path.display().to_string(), error.to_string());
            fail!(Usage, "LETTER_MALFORMED", "letter-malformed", file = name.as_str(), error = error.as_str())
        })?;
        let folder = crate::profile::files::parent(path);
        for attachment in &mut file.attachments {
            attachment.path = folder.join(&attachment.path);
        }
        Ok(file)
    }

    /// The text's type; plain unless said otherwise.
    pub fn body_type(&self) -> Outcome<BodyType> {
        match self.body_type.as_deref() {
            None | Some("text/plain") => Ok(BodyType::TextPlain),
            Some("text/markdown") => Ok(BodyType::TextMarkdown),
            Some(_) => Err(field("body_type", "text/plain, text/markdown")),
        }
    }

    /// When the letter may be read at the earliest.
    pub fn not_before(&self) -> Outcome<Option<Timestamp>> {
        let parse = |text: &String| {
            Timestamp::from_rfc3339(text).ok_or_else(|| field("not_before", "2026-12-01T00:00:00+01:00"))
        };
        self.not_before.as_ref().map(parse).transpose()
    }

    /// The message that this one answers.
    pub fn in_reply_to(&self) -> Outcome<Option<MessageId>> {
        let parse = |text: &String| text.parse().map_err(|_| field("in_reply_to", "UUIDv7"));
        self.in_reply_to.as_ref().map(parse).transpose()
    }

    /// What the authority states of the law.
    pub fn legal(&self) -> Outcome<Option<LegalInfo>> {
        let Some(part) = &self.legal else { return Ok(None) };
        date("legal.stated_deadline", &part.stated_deadline)?;
        if !part.stated_period.is_empty() && Period::from_str(&part.stated_period).is_err() {
            return Err(field("legal.stated_period", "1m, 2w, 14d"));
        }
        Ok(Some(LegalInfo {
            reference: part.reference.clone(),
            remedy_instruction: part.remedy_instruction.clone(),
            stated_deadline: part.stated_deadline.clone(),
            stated_period: part.stated_period.clone(),
        }))
    }

    /// Requests to pay.
    pub fn payments(&self) -> Outcome<Vec<PaymentRequest>> {
        self.payments.iter().enumerate().map(|(n, payment)| payment.to_format(n)).collect()
    }

    /// What the reader is asked to do.
    pub fn actions(&self) -> Outcome<Vec<Action>> {
        let action = |(n, part): (usize, &ActionPart)| {
            date(&format!("actions[{n}].due_date"), &part.due_date)?;
            Ok(Action {
                r#type: part.kind.clone(),
                title: part.title.clone(),
                url: part.url.clone(),
                due_date: part.due_date.clone(),
            })
        };
        self.actions.iter().enumerate().map(action).collect()
    }
}

impl Payment {
    fn to_format(&self, n: usize) -> Outcome<PaymentRequest> {
        let name = |name: &str| format!("payments[{n}].{name}");
        let iban: String = self.iban.chars().filter(|c| !c.is_whitespace()).collect();
        if !is_iban(&iban) {
            return Err(field(&name("iban"), "DE89370400440532013000"));
        }
        if self.currency != "EUR" {
            return Err(field(&name("currency"), "EUR"));
        }
        if self.amount_cents == 0 {
            return Err(field(&name("amount_cents"), "12345"));
        }
        date(&name("due_date"), &self.due_date)?;
        let instalment = |part: &InstalmentPart| {
            date(&name("instalments.due_date"), &part.due_date)?;
            Ok(Instalment { amount_cents: part.amount_cents, due_date: part.due_date.clone() })
        };
        Ok(PaymentRequest {
            creditor: self.creditor.clone(),
            iban,
            bic: self.bic.clone(),
            amount_cents: self.amount_cents,
            currency: self.currency.clone(),
            reference: self.reference.clone(),
            due_date: self.due_date.clone(),
            instalments: self.instalments.iter().map(instalment).collect::<Outcome<_>>()?,
            payment_link: self.payment_link.clone(),
        })
    }
}

/// A date YYYY-MM-DD, or nothing.
fn date(name: &str, text: &str) -> Outcome<()> {
    if text.is_empty() || (text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok()) {
        return Ok(());
    }
    Err(field(name, "2026-12-31"))
}

/// A field that is not what it should be, with what it could be.
pub fn field(name: &str, example: &str) -> Failure {
    fail!(Usage, "LETTER_FIELD", "letter-field", field = name; example = example)
}

/// The media type that a file name suggests.
pub fn media_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "pdf" => "application/pdf",
        "xml" => "application/xml",
        "json" => "application/json",
        "zip" => "application/zip",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "ics" => "text/calendar",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "tif" | "tiff" => "image/tiff",
        "odt" => "application/vnd.oasis.opendocument.text",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xlsx" => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> Outcome<LetterFile> {
        LetterFile::parse(text, Path::new("folder/letter.json"))
    }

    #[test]
    fn the_documented_example_is_read_in_full() {
        let document = include_str!("../../../docs/authorities/letter.md");
        let example = document.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        let file = parse(example).unwrap();
        assert_eq!(file.legal().unwrap().unwrap().stated_period, "1m");
        assert_eq!(file.payments().unwrap()[0].instalments.len(), 2);
        assert_eq!(file.actions().unwrap()[0].r#type, "reply");
        assert_eq!(file.body_type().unwrap(), BodyType::TextMarkdown);
        assert!(file.not_before().unwrap().is_some() && file.in_reply_to().unwrap().is_some());
        assert_eq!(file.attachments[0].path, Path::new("folder/bescheid.pdf"));
        // Every field that exists stands in the example, so that the document cannot fall behind.
        let value = serde_json::to_value(&file).unwrap();
        let mut missing = Vec::new();
        nulls(&value, "", &mut missing);
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_sample_letter_is_read() {
        let file = parse(include_str!("../../../docs/samples/letter.json")).unwrap();
        assert!(file.legal().is_ok() && file.payments().is_ok() && file.actions().is_ok());
        assert!(file.not_before().is_ok() && file.body_type().is_ok());
    }

    fn nulls(value: &serde_json::Value, path: &str, missing: &mut Vec<String>) {
        match value {
            serde_json::Value::Null => missing.push(path.to_owned()),
            serde_json::Value::String(text) if text.is_empty() => missing.push(path.to_owned()),
            serde_json::Value::Array(list) if list.is_empty() => missing.push(path.to_owned()),
            serde_json::Value::Array(list) => nulls(&list[0], &format!("{path}[0]"), missing),
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| nulls(value, &format!("{path}.{key}"), missing));
            }
            _ => {}
        }
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| parse(text).err().unwrap().message.clone();
        assert!(message("{\"body\": 7}").contains("letter.json"));
        assert!(message("{\"bodi\": \"x\"}").contains("bodi"));
        let of = |text: &str| parse(text).unwrap();
        let legal = of("{\"legal\": {\"stated_deadline\": \"31.12.2026\"}}").legal().err().unwrap();
        assert!(legal.message.contains("legal.stated_deadline"), "{}", legal.message);
        let payment = "{\"payments\": [{\"creditor\": \"S\", \"iban\": \"DE00\", \"amount_cents\": 1}]}";
        assert!(of(payment).payments().err().unwrap().message.contains("payments[0].iban"));
        assert!(of("{\"not_before\": \"tomorrow\"}").not_before().is_err());
        assert!(of("{\"body_type\": \"text/html\"}").body_type().is_err());
    }
}
