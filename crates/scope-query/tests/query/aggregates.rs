//! Percentiles and histograms are what their definitions say, of what random statements choose from random
//! traces, and of random numbers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use scope_query::Session;
use scope_timeline::Durations;

use crate::asking::set;
use crate::generate::events;
use crate::model::calls;
use crate::relation::{Relation, Value, asks, sessions};
use crate::store::{forms, store};

/// So many numbers are kept as they are; of more, three digits are.
const FEW: usize = 256;

/// How many of the numbers there are by powers of two, as text.
fn histogram(numbers: &[i64]) -> String {
    let mut counts: BTreeMap<(i128, i128), usize> = BTreeMap::new();
    for number in numbers.iter().copied().map(i128::from) {
        let mut bucket = (i64::MIN.into(), 1);
        while number >= bucket.1 {
            bucket = (bucket.1, bucket.1 * 2);
        }
        *counts.entry(bucket).or_default() += 1;
    }
    let counts = counts.into_iter().map(|((from, until), count)| {
        let until = until.min(i64::MAX.into());
        format!("{{from: {from}, until: {until}, count: {count}}}")
    });
    format!("[{}]", counts.collect::<Vec<_>>().join(", "))
}

/// The number of nearest rank.
fn exact(numbers: &[i64], share: f64) -> Option<i64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Whether a percentile is right, and what `scope report` would say of durations.
fn is_percentile(told: &str, numbers: &[i64], share: f64) -> bool {
    let Some(exact) = exact(numbers, share) else { return told == "-" };
    let Ok(told) = told.parse::<i64>() else { return false };
    let least = numbers.iter().min().copied().unwrap_or_default();
    if numbers.len() <= FEW {
        return told == exact;
    }
    if exact < 0 {
        // Many numbers below 0 are told apart from others, not from each other.
        return (least..=0).contains(&told);
    }
    let mut durations = Durations::default();
    numbers.iter().for_each(|number| durations.record(u64::try_from(*number).unwrap_or_default()));
    // Of those all numbers are durations.
    let reported = least < 0 || durations.quantile_ns(share) == u64::try_from(told).ok();
    reported && (exact..=exact + exact / 1_000).contains(&told)
}

/// Groups of numbers by the text of what they are grouped by.
type Groups = BTreeMap<String, Vec<i64>>;

/// Asks for the percentile and the histogram of groups, and of all in one go. `from` has columns `g` and
/// `v`.
fn check(sql: &mut Session, from: &str, groups: &Groups, share: f64) {
    let even = |numbers: &[i64]| numbers.iter().copied().filter(|number| number % 2 == 0).collect();
    let some = groups.iter().map(|(group, numbers)| (group.clone(), even(numbers))).collect();
    for (filter, groups) in [("", groups), (" filter (where v % 2 = 0)", &some)] {
        let all = Groups::from([("all".to_owned(), groups.values().flatten().copied().collect())]);
        for (grouped, by, groups) in [("g", " group by g", groups), ("'all'", "", &all)] {
            let statement = format!(
                "select {grouped}, percentile(v, {share:?}){filter}, histogram(v){filter} from ({from}){by}"
            );
            let told = set(sql, &statement);
            assert_eq!(told.len(), groups.len(), "{statement}");
            for line in &told {
                let values: Vec<&str> = line.split('|').collect();
                let numbers = &groups[values[0]];
                let right = is_percentile(values[1], numbers, share);
                assert!(right, "{statement}: {line}: {numbers:?}");
                assert_eq!(values[2], histogram(numbers), "{statement}");
            }
        }
    }
}

/// The groups of the rows that were chosen: `grouped` is the column to group by; numbers that are not
/// known do not count.
fn groups(relation: &Relation, rows: &[&[Value]], grouped: &str, of: &str, times: i64) -> Groups {
    let (grouped, of) = (relation.column(grouped), relation.column(of));
    let mut groups = Groups::new();
    for row in rows {
        let group = groups.entry(row[grouped].to_string()).or_default();
        if let Value::Number(number) = row[of] {
            group.push(i64::try_from(number).unwrap() * times);
        }
    }
    groups
}

/// A share, those at the ends among them.
fn shares() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), Just(0.5), Just(0.99), Just(1.0), 0.0..=1.0_f64]
}

/// Numbers of all magnitudes and either sign, few and many of them.
fn numbers() -> impl Strategy<Value = Vec<(u8, i64)>> {
    let number = (0..62_u32, any::<u64>(), 0..8_u8).prop_map(|(bits, number, sign)| {
        let number = (number >> (63 - bits)) as i64;
        if sign == 0 { -number } else { number }
    });
    let number = (0..2_u8, number);
    prop_oneof![
        prop::collection::vec(number.clone(), 1..20),
        prop::collection::vec(number, 300..700),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn of_calls_that_a_statement_chooses(
        events in events(),
        form in forms(),
        pick in any::<Index>(),
        asks in asks(),
        grouped in prop::sample::select(vec!["tid", "function_id", "ended", "inherited"]),
        of in prop::sample::select(vec!["duration", "elapsed", "self_time", "callees", "depth"]),
        times in prop::sample::select(vec![1, 1_000_003]),
        share in shares(),
    ) {
        let stored = store(&events, form);
        let calls = calls(&stored.trace);
        prop_assume!(!calls.rows.is_empty());
        let id = pick.get(&calls.rows)[0].to_string();
        let below = calls.rows.iter().filter(|row| row[1].to_string() == id);
        let below = Relation {
            name: format!("callees({id})"),
            columns: calls.columns,
            rows: below.cloned().collect(),
        };
        for sql in &mut sessions(&stored.trace) {
            for relation in [&calls, &below] {
                for ask in &asks {
                    let (conditions, mut rows) = ask.chosen(relation);
                    rows.truncate(ask.limit.map_or(usize::MAX, |limit| limit * 40));
                    // Calls come in the order of their ids.
                    let limit = ask.limit.map_or(String::new(), |limit| format!(" limit {}", limit * 40));
                    let from = format!(
                        "select {grouped} as g, {of} * {times} as v \
                         from (select * from {}{conditions} order by id{limit})",
                        relation.name
                    );
                    check(sql, &from, &groups(relation, &rows, grouped, of, times), share);
                }
            }
        }
    }

    #[test]
    fn of_any_numbers(numbers in numbers(), share in shares()) {
        let stored = store(&[], crate::store::Form::Hot);
        let mut groups = Groups::new();
        for (group, number) in &numbers {
            groups.entry(group.to_string()).or_default().push(*number);
        }
        let values: Vec<String> =
            numbers.iter().map(|(group, number)| format!("({group}, {number})")).collect();
        let from = format!("select * from (values {}) as t(g, v)", values.join(", "));
        check(&mut sessions(&stored.trace)[0], &from, &groups, share);
    }
}
