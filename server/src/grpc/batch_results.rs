//! The answer of a batch: each result under its own checkpoints, each failure as a call of its own would have had it.

use postfach_proto::v1;
use postfach_proto::v1::batch_result::Outcome;
use tonic::Status;

use super::status::{Common, complete, from_app};
use crate::app::{BatchResult, Logged};
use crate::evidence::Checkpoints;

/// All results in their order.
pub fn response(results: Vec<BatchResult>, common: &Common) -> v1::DeliverBatchResponse {
    let mut checkpoints: Vec<Checkpoints> = Vec::new();
    let result = |result: BatchResult| match result {
        Ok(Logged { event: Some(event), checkpoints: under }) => v1::BatchResult {
            outcome: Some(Outcome::Event(event.into())),
            checkpoints: place_of(under, &mut checkpoints),
        },
        Ok(Logged { event: None, .. }) => v1::BatchResult::default(),
        Err(error) => v1::BatchResult {
            outcome: Some(Outcome::Failure(failure(&complete(&from_app(error), common)))),
            checkpoints: 0,
        },
    };
    let results = results.into_iter().map(result).collect();
    v1::DeliverBatchResponse { results, checkpoints: super::answers::list(checkpoints) }
}

/// Results of one commit share their checkpoints.
fn place_of(wanted: Checkpoints, all: &mut Vec<Checkpoints>) -> u32 {
    let place = all.iter().position(|known| *known == wanted).unwrap_or_else(|| {
        all.push(wanted);
        all.len() - 1
    });
    // Safe because a batch has at most 100 results.
    u32::try_from(place).expect("a small number")
}

fn failure(status: &Status) -> v1::CallFailure {
    v1::CallFailure {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: status.details().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tonic::Code;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::app::AppError;
    use crate::evidence::LoggedEvent;
    use crate::grpc::reasons::Language;
    use crate::grpc::status::RequestId;

    #[test]
    fn results_share_checkpoints_and_failures_are_those_of_a_single_call() {
        let common = Common {
            request_id: RequestId { run: 1, number: 10 },
            language: Language::German,
            domain: "post.example".into(),
        };
        let under = |byte| Checkpoints { keys: vec![1], evidence: vec![byte] };
        let event = |index| LoggedEvent { event: vec![1], salt: vec![2], index, inclusion: Vec::new() };
        let logged = |index, byte| Ok(Logged { event: Some(event(index)), checkpoints: under(byte) });
        let refused = Err(AppError::Limit("letter_envelope_bytes"));
        let answer = response(vec![logged(4, 1), refused, logged(5, 2), logged(6, 1)], &common);

        let places: Vec<u32> = answer.results.iter().map(|result| result.checkpoints).collect();
        assert_eq!((places, answer.checkpoints.len()), (vec![0, 0, 1, 0], 2));
        let Some(Outcome::Failure(failure)) = &answer.results[1].outcome else { panic!("a failure") };
        let code = Code::from(failure.code);
        let status = Status::with_details(code, failure.message.clone(), failure.details.clone().into());
        let details = status.get_error_details();
        assert_eq!(
            (code, details.error_info().unwrap().reason.as_str()),
            (Code::InvalidArgument, "LETTER_TOO_LARGE")
        );
        assert_eq!(details.request_info().unwrap().request_id, "00000001-a");
        assert_eq!(details.localized_message().unwrap().locale, "de");
    }
}
