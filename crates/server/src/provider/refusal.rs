//! Why nobody came in by the provider: each reason with a code of its own, told to the person and, where it is the
//! operator's to mend, to the log.

use openidconnect::{
    ClaimsVerificationError, RequestTokenError, StandardErrorResponse, core::CoreErrorResponseType,
};

use super::fetch::FetchError;

/// Why not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The provider does not answer, or not as one.
    Unreachable,
    /// It does not know this server: client id or secret are wrong.
    Misconfigured,
    /// It does not take the code: used, expired, another's, or with another verifier.
    Code,
    /// Its word cannot be believed: signature, algorithm, issuer or form.
    Token,
    Nonce,
    /// The word is for another client.
    Audience,
    /// The word is over, or from the future: one of the clocks is wrong.
    Expired,
    /// The word names no address.
    NoEmail,
    UnverifiedEmail,
    /// An address in none of the domains that may sign in.
    ForeignEmail,
}

impl Refusal {
    /// The machine's code.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "provider_unreachable",
            Self::Misconfigured => "provider_misconfigured",
            Self::Code => "code_refused",
            Self::Token => "token_invalid",
            Self::Nonce => "wrong_nonce",
            Self::Audience => "wrong_audience",
            Self::Expired => "token_expired",
            Self::NoEmail => "email_missing",
            Self::UnverifiedEmail => "email_unverified",
            Self::ForeignEmail => "email_foreign",
        }
    }

    /// The person's sentence.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Self::Unreachable => "The company's sign-in cannot be reached; try again later",
            Self::Misconfigured => {
                "The company's sign-in does not know this server; whoever runs it has to look"
            }
            Self::Code => "The company's sign-in did not accept what it gave out; begin again",
            Self::Token => "What the company's sign-in says cannot be verified",
            Self::Nonce => "What the company's sign-in says belongs to another attempt; begin again",
            Self::Audience => "What the company's sign-in says is meant for another application",
            Self::Expired => {
                "What the company's sign-in says is out of date; its clock or this server's may be wrong"
            }
            Self::NoEmail => "The company's sign-in does not say your e-mail address",
            Self::UnverifiedEmail => "The company's sign-in has not verified your e-mail address",
            Self::ForeignEmail => "Addresses in that domain may not sign in here",
        }
    }
}

/// A provider that is not heard, or does not speak as one.
pub(super) fn unreachable(error: &dyn std::error::Error) -> Refusal {
    tracing::warn!("The OpenID provider is of no use: {}", chain(error));
    Refusal::Unreachable
}

pub(super) fn of_the_token_endpoint(
    error: &RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>,
) -> Refusal {
    match error {
        RequestTokenError::ServerResponse(answer)
            if *answer.error() == CoreErrorResponseType::InvalidGrant =>
        {
            Refusal::Code
        }
        RequestTokenError::ServerResponse(answer) => {
            tracing::error!("The OpenID provider refuses this server: {:?}", answer.error());
            Refusal::Misconfigured
        }
        // The answer is not repeated: it may hold a token.
        RequestTokenError::Parse(error, _) => {
            tracing::warn!("The OpenID provider's token cannot be read at {}", error.path());
            Refusal::Token
        }
        RequestTokenError::Request(error) => unreachable(error),
        RequestTokenError::Other(error) => {
            tracing::warn!("The OpenID provider's answer is of no use: {error}");
            Refusal::Unreachable
        }
    }
}

pub(super) fn of_the_token(error: &ClaimsVerificationError) -> Refusal {
    tracing::warn!("An ID token is not believed: {}", chain(error));
    if matches!(error, ClaimsVerificationError::InvalidNonce(_)) {
        Refusal::Nonce
    } else if matches!(error, ClaimsVerificationError::InvalidAudience(_)) {
        Refusal::Audience
    } else if matches!(error, ClaimsVerificationError::Expired(_)) {
        Refusal::Expired
    } else {
        Refusal::Token
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
