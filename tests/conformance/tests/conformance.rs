//! Governing breaks nothing: what plain DataFusion answers to its own tests, a governed session answers too.

/// In percent of the queries that DataFusion answers with the types and settings that a product can have.
const SHARE_MIN: u64 = 99;
/// In percent of all queries that DataFusion answers.
const SHARE_OF_ALL_MIN: u64 = 97;

/// `AMBIT_CONFORMANCE` narrows the run to files whose path holds it.
#[test]
fn a_governed_session_answers_as_datafusion_does() -> Result<(), ambit_conformance::Fault> {
    let wanted = std::env::var("AMBIT_CONFORMANCE").unwrap_or_default();
    let report = ambit_conformance::run(&wanted)?;
    println!("{report}");
    assert!(report.unlike.is_empty(), "{} queries differ", report.unlike.len());
    if wanted.is_empty() {
        assert!(report.idle.is_empty(), "entries of `refused.toml` stand for nothing");
        let (alike, all) = (report.alike() * 100, report.answered());
        assert!(alike >= all * SHARE_OF_ALL_MIN);
        assert!(alike >= (all - report.beyond) * SHARE_MIN);
    }
    Ok(())
}

/// Under policies too: then as DataFusion answers over what the policies show.
#[test]
fn well_known_queries_are_answered_as_over_what_policies_show() -> Result<(), ambit_conformance::Fault> {
    for suite in ambit_conformance::suites()? {
        println!("{suite}");
        assert!(
            suite.unlike.is_empty(),
            "{} of {} differ",
            suite.unlike.len(),
            suite.name
        );
        assert!(suite.narrowed > 0, "the policies of {} narrow nothing", suite.name);
    }
    Ok(())
}
