//! The wire below gRPC: TLS, accepting connections, and ending them on time. It knows nothing of services.

pub mod accept;
pub mod connection;
pub mod tls;
