//! The cases that are known to fail.

use std::collections::BTreeMap;

/// The cases of a guest that failed, with why.
pub(crate) type Failed = BTreeMap<String, String>;

/// Fails unless what failed is what is listed.
pub(crate) fn compare(guest: &str, cases: &[String], failed: &Failed) {
    let all: BTreeMap<String, BTreeMap<String, String>> = toml::from_str(include_str!("known.toml")).unwrap();
    let known = all.get(guest).cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    for (case, why) in failed.iter().filter(|(case, _)| !known.contains_key(*case)) {
        wrong.push(format!("{guest} {case}: {why}"));
    }
    for case in known.keys().filter(|case| !failed.contains_key(*case)) {
        let found = if cases.contains(case) { "holds now" } else { "is no case" };
        wrong.push(format!("{guest} {case}: listed in known.toml, and {found}: remove its line"));
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
