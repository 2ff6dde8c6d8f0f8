//! `postfachd init`.

pub mod certificate;
