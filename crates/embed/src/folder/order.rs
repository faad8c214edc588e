//! The order in which plugins are loaded: each one after those that it requires.

use std::collections::{BTreeMap, BTreeSet};

/// What each name requires, of all names that there are.
pub(crate) type Requires<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// Names in an order in which each comes after those that it requires, and those that are in a circle, with the circle.
pub(crate) struct Order<'a> {
    pub(crate) names: Vec<&'a str>,
    pub(crate) circles: BTreeMap<&'a str, Vec<String>>,
}

/// Puts names in order. What a name requires that is not there makes no difference, and neither does what requires a circle
/// without being in it: both come in order, and find then that something is missing.
pub(crate) fn order<'a>(requires: &Requires<'a>) -> Order<'a> {
    let mut circles = BTreeMap::new();
    let mut names = Vec::new();
    let mut placed = BTreeSet::new();
    let mut open: BTreeSet<&str> = requires.keys().copied().collect();
    loop {
        place(requires, &mut open, &mut placed, &mut names);
        let Some(circle) = circle(requires, &open) else { break };
        let told: Vec<String> = circle.iter().chain(circle.first()).map(|name| (*name).to_owned()).collect();
        for name in circle {
            open.remove(name);
            placed.insert(name);
            circles.insert(name, told.clone());
        }
    }
    Order { names, circles }
}

/// Places whatever requires nothing that is still open.
fn place<'a>(
    requires: &Requires<'a>,
    open: &mut BTreeSet<&'a str>,
    placed: &mut BTreeSet<&'a str>,
    names: &mut Vec<&'a str>,
) {
    let needs = |name: &str| requires.get(name).into_iter().flatten().copied();
    let mut required_by: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
    let mut waiting_for: BTreeMap<&str, usize> = BTreeMap::new();
    for name in open.iter().copied() {
        let still_open: BTreeSet<&str> = needs(name).filter(|need| open.contains(need)).collect();
        waiting_for.insert(name, still_open.len());
        still_open.into_iter().for_each(|need| required_by.entry(need).or_default().push(name));
    }
    let mut ready: Vec<&'a str> = open.iter().copied().filter(|name| waiting_for.get(name) == Some(&0)).rev().collect();
    while let Some(name) = ready.pop() {
        open.remove(name);
        placed.insert(name);
        names.push(name);
        for next in required_by.get(name).into_iter().flatten().copied() {
            if let Some(count) = waiting_for.get_mut(next) {
                *count -= 1;
                if *count == 0 {
                    ready.push(next);
                }
            }
        }
    }
}

/// One circle among what is open, if there is any: whoever goes from one to what it requires comes back at last.
fn circle<'a>(requires: &Requires<'a>, open: &BTreeSet<&'a str>) -> Option<Vec<&'a str>> {
    let mut way = vec![*open.first()?];
    let mut seen: BTreeMap<&str, usize> = BTreeMap::from([(*open.first()?, 0)]);
    loop {
        let next = requires.get(way.last()?)?.iter().copied().find(|need| open.contains(need))?;
        if let Some(&start) = seen.get(next) {
            return Some(way.split_off(start));
        }
        seen.insert(next, way.len());
        way.push(next);
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test ends loudly")]
mod tests {
    use super::*;

    fn check(requires: &[(&'static str, &[&'static str])], names: &[&str], circles: &[&str]) {
        let requires: Requires<'static> = requires.iter().map(|(name, needs)| (*name, needs.to_vec())).collect();
        let order = order(&requires);
        assert_eq!(order.names, names);
        let mut told: Vec<String> = order.circles.values().map(|circle| circle.join(" > ")).collect();
        told.dedup();
        assert_eq!(told, circles);
    }

    #[test]
    fn what_is_required_comes_first_and_a_circle_is_told() {
        check(&[], &[], &[]);
        check(&[("a", &["b"]), ("b", &["c", "c"]), ("c", &[])], &["c", "b", "a"], &[]);
        check(&[("a", &["gone"]), ("b", &[])], &["a", "b"], &[]);
        check(&[("a", &["a"])], &[], &["a > a"]);
        check(
            &[("a", &["b"]), ("b", &["c"]), ("c", &["b"]), ("d", &["a"]), ("e", &[])],
            &["e", "a", "d"],
            &["b > c > b"],
        );
        check(&[("a", &["b"]), ("b", &["a"]), ("x", &["y"]), ("y", &["x"])], &[], &["a > b > a", "x > y > x"]);
    }

    #[test]
    fn a_long_row_takes_neither_stack_nor_time() {
        let names: Vec<String> = (0..10_000).map(|at| format!("p{at:05}")).collect();
        let next = |at: usize| names.get(at + 1).map(String::as_str).into_iter().collect();
        let requires: Requires<'_> = names.iter().enumerate().map(|(at, name)| (name.as_str(), next(at))).collect();
        let order = order(&requires);
        assert_eq!((order.names.len(), order.names[0]), (10_000, "p09999"));
    }
}
