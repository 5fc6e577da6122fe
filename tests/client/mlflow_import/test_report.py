from __future__ import annotations

from modelyard.client.mlflow_import.report import MOST_EXAMPLES, MOST_REASONS, OTHER_REASONS, Report


def test_a_report_stays_small_however_much_is_left_out() -> None:
    report = Report("http://x", "acme/churn")
    for number in range(1000):
        report.leave_out("params", "p", f"reason {number} of 'p'")
        report.leave_out("runs", f"run {number}", f"there is no 'run {number}'")
    by_reason = {entry.reason: entry for entry in report.not_brought if entry.kind == "params"}
    assert len(by_reason) == MOST_REASONS + 1
    assert "reason 0 of it" in by_reason
    assert by_reason[OTHER_REASONS].count == 1000 - MOST_REASONS
    (runs,) = [entry for entry in report.not_brought if entry.kind == "runs"]
    assert (runs.reason, runs.count, len(runs.examples)) == ("there is no it", 1000, MOST_EXAMPLES)
