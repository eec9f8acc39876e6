// Package jobstest helps to test jobs: a store in memory, a conformance suite that every
// jobs.Store passes, and the generic tests that every job kind passes:
//
//   - RepeatEachStep: each step done twice in a row, the job ends done;
//   - FailEachStep: each step fails before and after its work, nothing is left behind, or the
//     job still ends done from the commit point on;
//   - ResumeEachEvent: the engine dies after each stored event, and before each write, another
//     ends the job right.
//
// Cover fails when a registered kind has no Scenario. Only tests import this package.
package jobstest
