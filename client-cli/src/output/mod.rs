//! Standard output is data, standard error is talk. Not here: what is said (the commands and the catalogue).

pub mod page;
pub mod progress;
pub mod safe;
pub mod wrap;

use std::io::{self, IsTerminal as _, Write as _};
use std::rc::Rc;

use serde::Serialize;

pub use page::{Look, Page};
pub use progress::Bar;

use crate::exit::{Exit, Failure};

/// What a command found out, for programs by its serialised form and for people by [`Answer::show`].
pub trait Answer {
    /// Lays the answer out for a person.
    fn show(&self, page: &mut Page);

    /// The exit code; anything but success is rare here, because failures are errors.
    fn exit(&self) -> Exit {
        Exit::Ok
    }
}

/// An answer of any command. Only the form that is printed is made.
pub struct Report {
    json: Box<dyn Fn() -> String>,
    show: Box<dyn Fn(&mut Page)>,
    /// How the command ends.
    pub exit: Exit,
}

impl Report {
    /// Wraps a command's answer.
    pub fn of<A: Answer + Serialize + 'static>(answer: A) -> Self {
        let exit = answer.exit();
        let answer = Rc::new(answer);
        let shown = Rc::clone(&answer);
        // Safe because answers are structs of text, numbers and lists with text keys.
        let json = move || safe::json(&*answer).expect("answers serialise") + "\n";
        Self { json: Box::new(json), show: Box::new(move |page| shown.show(page)), exit }
    }

    /// Nothing more: everything was printed as it came.
    pub fn nothing(exit: Exit) -> Self {
        Self { json: Box::new(String::new), show: Box::new(|_| {}), exit }
    }
}

/// Where a command prints, and how.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // four independent facts about one terminal
pub struct Output {
    json: bool,
    screen_reader: bool,
    look: Look,
    progress: bool,
}

impl Output {
    /// Looks at the terminal and the environment once.
    pub fn new(json: bool, screen_reader: bool) -> Self {
        let colours_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let styled = io::stdout().is_terminal() && !colours_off && !screen_reader;
        Self {
            json,
            screen_reader,
            look: Look { width: 80, styled, plain: screen_reader },
            progress: io::stderr().is_terminal() && !json && !screen_reader,
        }
    }

    /// A progress bar, which stays silent where none may be drawn.
    pub fn bar(&self, label: &str) -> Bar {
        Bar::new(label, self.progress)
    }

    /// Talk: a line on standard error.
    pub fn note(&self, text: &str) {
        let mut page = Page::new(Look { styled: false, ..self.look });
        page.line(text);
        to_stderr(&page.into_text());
    }

    /// Prints a text as it is: help, version.
    pub fn raw(text: &str) -> Exit {
        if to_stdout(text) { Exit::Ok } else { Exit::Other }
    }

    /// Prints a text as it is to standard error.
    pub fn beside(text: &str) {
        to_stderr(text);
    }

    /// Prints an answer; false where standard output is gone.
    pub fn report(&self, report: &Report) -> bool {
        if self.json {
            return to_stdout(&(report.json)());
        }
        let mut page = Page::new(self.look);
        (report.show)(&mut page);
        to_stdout(&page.into_text())
    }

    /// Prints one of many answers as soon as it is there: with `--json` one value a line. False where standard output is
    /// gone.
    pub fn one<A: Answer + Serialize + 'static>(&self, answer: A) -> bool {
        self.report(&Report::of(answer))
    }

    /// Prints a failure: with `--json` as the one JSON value on standard output, else as a pair on standard error.
    pub fn failure(&self, failure: &Failure) {
        if self.json {
            // Safe because a `Value` always serialises.
            let json = safe::json(&failure.to_json()).expect("a JSON value serialises");
            to_stdout(&(json + "\n"));
            return;
        }
        let mut page = Page::new(Look { styled: false, plain: self.screen_reader, width: self.look.width });
        page.text(&failure.message);
        page.text(&failure.hint);
        to_stderr(&page.into_text());
    }
}

fn to_stdout(text: &str) -> bool {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// Talk that cannot be said (a closed standard error) is not an error of the command.
fn to_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
