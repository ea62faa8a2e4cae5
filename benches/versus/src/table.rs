//! The table in the terminal.

use crate::row::{Goal, Group, Row};

pub fn print(group: &Group) {
    println!("\n{}", group.name);
    for row in &group.rows {
        let ours = row.ours.map(|ours| ours.to_string()).unwrap_or_default();
        let (name, theirs) = match &row.theirs {
            Some((name, theirs)) => (name.as_str(), theirs.to_string()),
            None => ("", String::new()),
        };
        println!(
            "  {:58} {ours:>9}  {theirs:>9} {name:26} {:>9}  {:12} {}",
            row.what,
            measured(row),
            goal(row),
            verdict(row),
        );
        if let Err(why) = &row.measured {
            println!("      NOT MEASURED: {why}");
        }
        for (name, figure) in &row.beside {
            println!("      {name:54} {:>9}  {figure:>9}", "");
        }
    }
}

pub fn print_end(groups: &[Group]) {
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let reached = rows().filter(|row| row.reached() == Some(true)).count();
    let goals = rows().filter(|row| row.goal.is_some()).count();
    let unknown = rows()
        .filter(|row| row.goal.is_some() && row.reached().is_none())
        .count();
    println!("\n{reached} of {goals} goals reached, {unknown} not measured");
}

pub fn measured(row: &Row) -> String {
    row.measured
        .as_ref()
        .map_or("-".to_owned(), ToString::to_string)
}

pub fn goal(row: &Row) -> String {
    match row.goal {
        Some(Goal::AtMost(figure)) => format!("≤ {figure}"),
        Some(Goal::AtLeast(figure)) => format!("≥ {figure}"),
        None => String::new(),
    }
}

fn verdict(row: &Row) -> &'static str {
    match row.reached() {
        Some(true) => "reached",
        Some(false) => "MISSED",
        None => "",
    }
}
