//! The wire below gRPC: TLS, accepting connections, the operator's socket. It knows nothing of services.

pub mod accept;
pub mod admin_socket;
pub mod connection;
pub mod tls;
