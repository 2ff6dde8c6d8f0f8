//! gRPC: one thin file per service. A handler converts, calls one use case and converts back; errors become a status
//! in `status` alone, and `call` adds to every answer what all answers have in common.

pub mod admin;
pub mod answers;
pub mod attachment;
pub mod batch_results;
pub mod call;
pub mod delivery;
pub mod directory;
pub mod evidence;
pub mod health;
pub mod info;
pub mod mailbox;
pub mod reasons;
pub mod services;
pub mod status;
pub mod watching;

use tonic::Request;

use crate::app::{AppError, Caller};

/// The caller that the token layer found. Its absence would be a fault of the wiring, not of the caller.
fn caller<T>(request: &Request<T>) -> Result<Caller, tonic::Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(|| status::from_app(AppError::Internal))
}

/// What every error of this call says, which the outermost layer left. Its absence would be a fault of the wiring too.
fn common<T>(request: &Request<T>) -> Result<status::Common, tonic::Status> {
    request.extensions().get().cloned().ok_or_else(|| status::from_app(AppError::Internal))
}
