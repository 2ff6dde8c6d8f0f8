//! `postfach address`: what to give to those who should write.

use serde::Serialize;

use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{Answer, Page, Report};
use crate::profile::Kind;

/// `postfach address`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {}

#[derive(Debug, Serialize)]
struct Shown {
    address: String,
    origin: String,
}

/// Prints the address.
pub fn run(context: &Context, _args: &Args) -> Outcome<Report> {
    let profile = context.profile(Kind::Citizen)?;
    let header = profile.header();
    Ok(Report::of(Shown { address: header.address.clone(), origin: header.origin.clone() }))
}

impl Answer for Shown {
    fn show(&self, page: &mut Page) {
        page.raw_line(&self.address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        assert_documented("postfach address", &Shown { address: String::new(), origin: String::new() });
    }
}
