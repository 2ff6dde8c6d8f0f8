//! What a sender chooses for a message from short lists: legal regime and trust level, with the text forms of the
//! command line. What a regime means is in `legal`.

use std::fmt;
use std::str::FromStr;

use crate::format;
use crate::id_error::IdError;

macro_rules! term {
    ($(#[$doc:meta])* $name:ident, $what:literal, { $($(#[$case_doc:meta])* $case:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub enum $name {
            $($(#[$case_doc])* $case,)*
        }

        impl $name {
            /// Every value, in the order of the format.
            pub const ALL: &[Self] = &[$(Self::$case,)*];

            /// The text form of the command line.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$case => $text,)*
                }
            }

            /// The number that stands in signed bytes.
            pub fn to_wire(self) -> i32 {
                format::$name::from(self).into()
            }

            /// Reads the number; unspecified and unknown ones are `None`.
            pub fn from_wire(number: i32) -> Option<Self> {
                Self::ALL.iter().copied().find(|term| term.to_wire() == number)
            }
        }

        impl From<$name> for format::$name {
            fn from(term: $name) -> Self {
                match term {
                    $($name::$case => Self::$case,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::ALL.iter().copied().find(|term| term.as_str() == text).ok_or(IdError::Malformed($what))
            }
        }
    };
}

term!(
    /// The law under which a notice is served; chosen by the sender for each notice (docs/spec, legal time).
    LegalRegime,
    "legal regime",
    {
        /// Plain information.
        None = "none",
        /// BayDiG Art. 24.
        Baydig24 = "baydig-24",
        /// OZG § 9.
        Ozg9 = "ozg-9",
        /// (Bay)VwVfG § 41 (2).
        Vwvfg412 = "vwvfg-41-2",
        /// (Bay)VwVfG § 41 (2a).
        Vwvfg412a = "vwvfg-41-2a",
        /// AO § 122a.
        Ao122a = "ao-122a",
        /// SGB X § 37.
        Sgbx37 = "sgbx-37",
    }
);

term!(
    /// How well a mailbox is bound to a person; higher is more.
    TrustLevel,
    "trust level",
    {
        /// Nothing is known but the mailbox.
        Basic = "basic",
        /// eIDAS low.
        Low = "low",
        /// eIDAS substantial.
        Substantial = "substantial",
        /// eIDAS high.
        High = "high",
    }
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn texts_and_numbers_round_trip() {
        for regime in LegalRegime::ALL {
            assert_eq!(regime.as_str().parse::<LegalRegime>().unwrap(), *regime);
            assert_eq!(LegalRegime::from_wire(regime.to_wire()), Some(*regime));
        }
        for level in TrustLevel::ALL {
            assert_eq!(level.as_str().parse::<TrustLevel>().unwrap(), *level);
            assert_eq!(TrustLevel::from_wire(level.to_wire()), Some(*level));
        }
        assert_eq!(LegalRegime::from_wire(0), None);
        assert_eq!(TrustLevel::from_wire(99), None);
        assert!(TrustLevel::High > TrustLevel::Basic);
    }
}
