//! For tests: answers have exactly the fields that docs/json.md shows.

#![allow(clippy::unwrap_used)]

use serde::Serialize;
use serde_json::Value;

/// Compares an answer with the example under a heading. `null` stands for anything.
pub fn assert_documented(heading: &str, answer: &impl Serialize) {
    let document = include_str!("../../../docs/json.md");
    let part = document.split("\n## ").find(|part| part.lines().next() == Some(heading));
    let part = part.unwrap_or_else(|| panic!("docs/json.md has no part {heading}"));
    let example = part.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let example: Value = serde_json::from_str(example).unwrap_or_else(|e| panic!("{heading}: {e}"));
    same_shape(heading, &example, &serde_json::to_value(answer).unwrap());
}

fn same_shape(place: &str, example: &Value, answer: &Value) {
    match (example, answer) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Object(example), Value::Object(answer)) => {
            let names = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(example), names(answer), "{place}: docs on the left, program on the right");
            for (name, value) in example {
                same_shape(&format!("{place}.{name}"), value, &answer[name]);
            }
        }
        (Value::Array(example), Value::Array(answer)) => {
            if let (Some(example), Some(answer)) = (example.first(), answer.first()) {
                same_shape(&format!("{place}[0]"), example, answer);
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(example),
            std::mem::discriminant(answer),
            "{place}: {example} is documented, {answer} is printed"
        ),
    }
}

/// A letter that has everything.
pub fn letter() -> super::letter_view::LetterView {
    use postfach_envelope::sealed::{
        Action, Instalment, LegalInfo, Letter, LetterAttachment, PaymentRequest,
    };
    let legal = LegalInfo {
        stated_deadline: "2027-01-15".to_owned(),
        stated_period: "1m".to_owned(),
        ..LegalInfo::default()
    };
    let payment = PaymentRequest { instalments: vec![Instalment::default()], ..PaymentRequest::default() };
    super::letter_view::LetterView::of_format(&Letter {
        body: "Guten Tag.\nMit freundlichen Grüßen".to_owned(),
        body_type: 1,
        legal: Some(legal),
        payments: vec![payment],
        actions: vec![Action { due_date: "2027-01-15".to_owned(), ..Action::default() }],
        attachments: vec![LetterAttachment { id: vec![1; 16], ..LetterAttachment::default() }],
        ..Letter::default()
    })
}
