//! Wire types of the gRPC services (`proto/postfach/v1`) and their conversion to domain types; no rules, no I/O.

pub mod codec;
pub mod convert;

/// Messages, clients and servers, generated from `proto/postfach/v1`.
#[allow(missing_docs, clippy::pedantic, clippy::unwrap_used)]
pub mod v1 {
    include!("gen/postfach.v1.rs");
}

/// All service descriptors, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("gen/descriptor.bin");
