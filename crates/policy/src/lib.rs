//! Rules in, decision and requirement out.
//!
//! Until rules are user-made, the one rule set is the seed's (contract §3.3) with the design's assurance levels:
//! low allows, medium, high and critical ask, an unknown tool is denied. Pure: no IO, no clock.

use countersign_domain::{
    Digest, Millis,
    record::{Assurance, EffectClass, PolicyDecision, ProposerKind, Requirement, Risk},
};

/// What policy is asked about: facts that the server knows, never claims of the proposer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Call<'a> {
    pub tool: &'a str,
    /// Whether the tool is registered in this very version.
    pub registered: bool,
    pub risk: Risk,
    pub effect: EffectClass,
    pub proposer: ProposerKind,
    /// How long the tool's manifest holds an approved call.
    pub hold: Millis,
}

/// What policy says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub decision: PolicyDecision,
    /// A sentence for people.
    pub reason: String,
    /// The rules that determined the answer.
    pub policies: Vec<String>,
    pub requirement: Requirement,
}

/// A rule set. Replayable: its digest names it for ever.
pub trait Policy: Send + Sync {
    /// The digest that evaluations name.
    fn bundle(&self) -> Digest;

    /// Every call gets exactly one answer; what no rule covers is denied.
    fn evaluate(&self, call: &Call<'_>) -> Answer;
}

/// The seed's rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct SeedRules;

/// Changes with every change of the rules below, so that an old evaluation still says by which rules it was made.
const SEED_RULES_VERSION: &[u8] = b"countersign seed rules 1";

impl Policy for SeedRules {
    fn bundle(&self) -> Digest {
        Digest::of(SEED_RULES_VERSION)
    }

    fn evaluate(&self, call: &Call<'_>) -> Answer {
        let (decision, rule, reason) = if !call.registered {
            (
                PolicyDecision::Deny,
                "seed.unknown_tool",
                format!("Tool ID '{}' is not recognized", call.tool),
            )
        } else {
            match call.risk {
                Risk::Low => (
                    PolicyDecision::Allow,
                    "seed.low",
                    "Low risk tool - auto-approved".to_owned(),
                ),
                Risk::Medium => (PolicyDecision::RequiresApproval, "seed.medium", asks("Medium")),
                Risk::High => (PolicyDecision::RequiresApproval, "seed.high", asks("High")),
                Risk::Critical => (
                    PolicyDecision::RequiresApproval,
                    "seed.critical",
                    asks("Critical"),
                ),
            }
        };
        Answer {
            decision,
            reason,
            policies: vec![rule.to_owned()],
            requirement: requirement(call),
        }
    }
}

fn asks(risk: &str) -> String {
    format!("{risk} risk tool - requires user approval before execution")
}

/// One person; the assurance of design §4; the tool's own hold, none for what has no effect outside.
fn requirement(call: &Call<'_>) -> Requirement {
    let assurance = match call.risk {
        Risk::Low | Risk::Medium => Assurance::Session,
        Risk::High => Assurance::Device,
        Risk::Critical => Assurance::DeviceConfirmed,
    };
    let hold = match call.effect {
        EffectClass::Read | EffectClass::Local => Millis(0),
        EffectClass::Idempotent | EffectClass::Checkable | EffectClass::Opaque => call.hold,
    };
    Requirement {
        assurance,
        hold,
        quorum: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(risk: Risk, registered: bool) -> Call<'static> {
        Call {
            tool: "email.send",
            registered,
            risk,
            effect: EffectClass::Opaque,
            proposer: ProposerKind::Agent,
            hold: Millis::seconds(10),
        }
    }

    #[test]
    fn low_is_allowed_and_everything_above_asks() {
        let decisions = Risk::ALL.map(|risk| SeedRules.evaluate(&call(risk, true)).decision);
        use PolicyDecision::{Allow, RequiresApproval as Asks};
        assert_eq!(decisions, [Allow, Asks, Asks, Asks], "critical asks like high");
    }

    #[test]
    fn an_unknown_tool_is_denied_whatever_its_risk() {
        for risk in Risk::ALL {
            let answer = SeedRules.evaluate(&call(risk, false));
            assert_eq!(answer.decision, PolicyDecision::Deny);
            assert_eq!(
                answer.reason, "Tool ID 'email.send' is not recognized",
                "the seed's own words"
            );
        }
    }

    #[test]
    fn a_higher_risk_never_needs_less() {
        let needs = Risk::ALL.map(|risk| SeedRules.evaluate(&call(risk, true)).requirement.assurance);
        assert!(needs.is_sorted(), "{needs:?}");
    }

    #[test]
    fn what_has_no_effect_outside_is_not_held() {
        for effect in [EffectClass::Read, EffectClass::Local] {
            let answer = SeedRules.evaluate(&Call {
                effect,
                ..call(Risk::Medium, true)
            });
            assert_eq!(answer.requirement.hold, Millis(0));
        }
    }
}
