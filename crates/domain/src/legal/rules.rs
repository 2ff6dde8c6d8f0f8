//! The regimes as versioned data: built in, or given by an operator in the same form.

use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::terms::LegalRegime;

/// What day 0 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Nothing is served.
    None,
    /// The day on which the letter became available.
    Provision,
    /// The day on which the notification was dispatched.
    Notification,
    /// The day on which the recipient took the letter.
    HandOver,
}

/// One version of one regime.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name as in the command lines, for example `ao-122a`.
    pub regime: String,
    /// First day of this version.
    pub valid_from: Date,
    /// What day 0 is.
    pub trigger: Trigger,
    /// Calendar days after day 0; day 0 is not counted.
    pub days: u8,
    /// The deemed day moves to the next working day.
    #[serde(default)]
    pub shift: bool,
    /// The provision lapses when not handed over within so many days after the notification.
    #[serde(default)]
    pub lapse_days: Option<u8>,
    /// Sources disagree; every output says so.
    #[serde(default)]
    pub unverified: bool,
    /// The statute.
    pub source: String,
}

impl Rule {
    /// `ao-122a@2025-01-01`: how outputs name the version they used.
    pub fn version(&self) -> String {
        format!("{}@{}", self.regime, self.valid_from)
    }
}

/// Why a rule file is refused.
#[derive(Debug, thiserror::Error)]
pub enum RuleSetError {
    /// Not TOML of the expected form.
    #[error("the rule file is malformed: {0}")]
    Malformed(String),
    /// A regime that has no version at all.
    #[error("the rule file has no rule for {0}")]
    Missing(&'static str),
    /// A number of days that no statute has.
    #[error("rule {0}: days must be at most 60")]
    Days(String),
}

/// Every version of every regime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Rule>,
}

impl RuleSet {
    /// Reads a rule file; every regime needs a version that is valid from the beginning or from its statute's first day.
    pub fn parse(text: &str) -> Result<Self, RuleSetError> {
        let file: File = toml::from_str(text).map_err(|e| RuleSetError::Malformed(e.message().to_owned()))?;
        let mut rules = file.rule;
        if let Some(rule) = rules.iter().find(|rule| rule.regime.parse::<LegalRegime>().is_err()) {
            return Err(RuleSetError::Malformed(format!("no regime is called {:?}", rule.regime)));
        }
        for regime in LegalRegime::ALL {
            if !rules.iter().any(|rule| rule.regime == regime.as_str()) {
                return Err(RuleSetError::Missing(regime.as_str()));
            }
        }
        if let Some(rule) =
            rules.iter().find(|rule| rule.days > 60 || rule.lapse_days.is_some_and(|d| d > 60))
        {
            return Err(RuleSetError::Days(rule.version()));
        }
        rules.sort_by_key(|rule| rule.valid_from);
        Ok(Self { rules })
    }

    /// The built-in rules. Their file is read once.
    pub fn built_in() -> Self {
        static RULES: LazyLock<RuleSet> = LazyLock::new(|| {
            // Safe because the file is part of the source and a test parses it.
            RuleSet::parse(include_str!("rules.toml")).expect("the built-in rules parse")
        });
        RULES.clone()
    }

    /// The version that applies to a notice accepted on a day; before all versions, the first one.
    pub fn rule(&self, regime: LegalRegime, accepted: Date) -> Option<&Rule> {
        let of_regime = || self.rules.iter().filter(|rule| rule.regime == regime.as_str());
        of_regime().rfind(|rule| rule.valid_from <= accepted).or_else(|| of_regime().next())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_built_in_rules_parse_and_the_version_follows_the_day() {
        let rules = RuleSet::built_in();
        let days = |day: &str| rules.rule(LegalRegime::Sgbx37, day.parse().unwrap()).unwrap().days;
        assert_eq!((days("2024-12-31"), days("2025-01-01")), (3, 4));
    }

    #[test]
    fn broken_rule_files_are_refused() {
        assert!(matches!(RuleSet::parse("rule = 3"), Err(RuleSetError::Malformed(_))));
        assert!(matches!(RuleSet::parse("rule = []"), Err(RuleSetError::Missing("none"))));
        let text = include_str!("rules.toml").replace("lapse_days = 10", "lapse_days = 99");
        assert!(matches!(RuleSet::parse(&text), Err(RuleSetError::Days(_))));
        // A version under a mistyped name would silently not apply.
        let text = include_str!("rules.toml").replacen("\"ao-122a\"", "\"ao-122\"", 1);
        assert!(matches!(RuleSet::parse(&text), Err(RuleSetError::Malformed(_))));
    }
}
