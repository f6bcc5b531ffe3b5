//! Rules in, decision and requirement out.
//!
//! Until rules are user-made, the one rule set is the seed's (contract §3.3) with the design's assurance levels:
//! low allows, medium, high and critical ask, an unknown tool is denied. Pure: no IO, no clock.

use countersign_domain::{
    Digest, Millis,
    record::{
        ApprovalRule, Assurance, EffectClass, Mode, PolicyDecision, ProposerKind, Requirement, Risk, asked,
    },
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
    /// Whether the tool's manifest says that it moves money.
    pub money: bool,
    /// Whether somebody has said no to the same request.
    pub denied_before: bool,
    /// In a tenant of one person what takes two people elsewhere takes that person's device and a typed confirmation.
    pub mode: Mode,
    /// What the tenant asks beside this policy's own rules.
    pub table: &'a [ApprovalRule],
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

/// Named beside the policy's own rule where the tenant's table asks for more.
pub const TENANT_TABLE: &str = "tenant.rules";

/// Changes with every change of the rules below, so that an old evaluation still says by which rules it was made.
const SEED_RULES_VERSION: &[u8] = b"countersign seed rules 2";

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
                // A no is not forgotten because the same is asked again.
                Risk::Low if call.denied_before => (
                    PolicyDecision::RequiresApproval,
                    "seed.denied_before",
                    "Denied before - requires user approval before execution".to_owned(),
                ),
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
        let own = requirement(call);
        let both = own.max(asked(call.table, call.tool, call.risk));
        let mut policies = vec![rule.to_owned()];
        if both != own {
            policies.push(TENANT_TABLE.to_owned());
        }
        Answer {
            decision,
            reason,
            policies,
            requirement: both,
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
        settlers: if call.money && call.mode == Mode::Company {
            2
        } else {
            1
        },
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
            money: false,
            denied_before: false,
            mode: Mode::Company,
            table: &[],
        }
    }

    #[test]
    fn low_is_allowed_and_everything_above_asks() {
        let decisions = Risk::ALL.map(|risk| SeedRules.evaluate(&call(risk, true)).decision);
        use PolicyDecision::{Allow, RequiresApproval as Asks};
        assert_eq!(decisions, [Allow, Asks, Asks, Asks], "critical asks like high");
    }

    #[test]
    fn what_was_denied_before_is_never_allowed_by_itself() {
        for risk in Risk::ALL {
            let answer = SeedRules.evaluate(&Call {
                denied_before: true,
                ..call(risk, true)
            });
            assert_ne!(answer.decision, PolicyDecision::Allow);
        }
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

    #[test]
    fn what_the_tenant_asks_is_asked_beside_the_rules_and_never_instead() {
        let rule = |quorum, assurance, risk| ApprovalRule {
            hold: None,
            keep: None,
            lifetime: None,
            assurance,
            quorum,
            risk,
            tool: Some("email.send".to_owned()),
        };
        let table = [
            rule(2, None, Some(Risk::High)),
            rule(1, Some(Assurance::Session), None),
        ];
        let of = |risk| {
            SeedRules.evaluate(&Call {
                table: &table,
                ..call(risk, true)
            })
        };
        let (medium, high) = (of(Risk::Medium), of(Risk::High));
        assert_eq!(
            medium,
            SeedRules.evaluate(&call(Risk::Medium, true)),
            "it asks nothing more"
        );
        assert_eq!(
            (high.requirement.quorum, high.requirement.assurance),
            (2, Assurance::Device)
        );
        assert_eq!(high.policies, ["seed.high", TENANT_TABLE]);
        let elsewhere = SeedRules.evaluate(&Call {
            tool: "http.request",
            table: &table,
            ..call(Risk::Critical, true)
        });
        assert_eq!(elsewhere.requirement.quorum, 1, "the table names another tool");
    }

    #[test]
    fn a_tenant_makes_the_undo_window_of_a_tool_longer_and_never_shorter() {
        let held = |hold, effect| {
            let rule = ApprovalRule {
                assurance: None,
                hold: Some(Millis::seconds(hold)),
                keep: None,
                lifetime: None,
                quorum: 1,
                risk: None,
                tool: Some("email.send".to_owned()),
            };
            let call = Call {
                effect,
                table: &[rule],
                ..call(Risk::Medium, true)
            };
            SeedRules.evaluate(&call).requirement.hold
        };
        assert_eq!(held(300, EffectClass::Opaque), Millis::seconds(300));
        assert_eq!(
            held(0, EffectClass::Opaque),
            Millis::seconds(10),
            "the tool's own"
        );
        assert_eq!(
            held(30, EffectClass::Local),
            Millis::seconds(30),
            "also where the tool has none of its own"
        );
    }

    #[test]
    fn in_a_company_two_people_settle_what_is_not_known_of_money() {
        let settlers = |money, mode| {
            let call = Call {
                money,
                mode,
                ..call(Risk::High, true)
            };
            SeedRules.evaluate(&call).requirement.settlers
        };
        assert_eq!(settlers(true, Mode::Company), 2);
        assert_eq!(settlers(true, Mode::Solo), 1, "there the person confirms it");
        assert_eq!(settlers(false, Mode::Company), 1);
    }
}
