//! X's error bodies, word for word. Clients read them to decide whether to wait, give up or look the post up, so tests
//! against other wordings would be worthless.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::{Value, json};

use crate::faults::XFault;

const INVALID_REQUEST: &str = "https://api.twitter.com/2/problems/invalid-request";

/// An error answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    status: StatusCode,
    body: Value,
}

impl Problem {
    fn new(status: StatusCode, body: Value) -> Self {
        Self { status, body }
    }

    /// 401 for an unauthenticated caller. X gives no reason.
    pub(crate) fn unauthorized() -> Self {
        Self::plain(StatusCode::UNAUTHORIZED)
    }

    /// 429 because of a rate limit.
    pub(crate) fn too_many_requests() -> Self {
        Self::plain(StatusCode::TOO_MANY_REQUESTS)
    }

    /// The body that X's gateway sends with a status without a specific problem.
    pub(crate) fn plain(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        let body = json!({"title": title, "type": "about:blank", "status": status.as_u16(), "detail": title});
        Self::new(status, body)
    }

    /// [`Problem::plain`] for a number that may not be a valid status.
    pub(crate) fn of_status(status: u16) -> Self {
        Self::plain(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
    }

    /// 400 for a query parameter.
    pub(crate) fn parameter(name: &str, value: &str, message: impl Into<String>) -> Self {
        Self::invalid(&json!([{"parameters": {name: [value]}, "message": message.into()}]))
    }

    /// 400 for a body.
    pub(crate) fn body(message: impl Into<String>) -> Self {
        Self::invalid(&json!([{"parameters": {}, "message": message.into()}]))
    }

    /// 400 for a text over the limit. The URL in it is X's own.
    pub(crate) fn too_long() -> Self {
        Self::invalid(&json!([{"message": "Your Tweet text is too long. For more information on how Twitter \
            determines text length see https://github.com/twitter/twitter-text."}]))
    }

    fn invalid(errors: &Value) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            json!({
                "errors": errors,
                "title": "Invalid Request",
                "detail": "One or more parameters to your request was invalid.",
                "type": INVALID_REQUEST,
            }),
        )
    }

    /// 403 with this reason.
    pub(crate) fn forbidden(detail: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            json!({"detail": detail, "type": "about:blank", "title": "Forbidden", "status": 403}),
        )
    }

    pub(crate) fn duplicate() -> Self {
        Self::forbidden("You are not allowed to create a Tweet with duplicate content.")
    }

    pub(crate) fn not_permitted() -> Self {
        Self::forbidden("You are not permitted to perform this action.")
    }

    pub(crate) fn reply_not_allowed() -> Self {
        Self::forbidden(
            "Reply to this conversation is not allowed because you have not been mentioned or otherwise \
            engaged by the author of the post you are replying to.",
        )
    }

    pub(crate) fn quote_not_allowed() -> Self {
        Self::forbidden(
            "Quoting this post is not allowed because you have not been mentioned or are not part of the \
            conversation thread of the post you are quoting.",
        )
    }

    pub(crate) fn reply_to_missing() -> Self {
        Self::forbidden("You attempted to reply to a Tweet that is deleted or not visible to you.")
    }

    /// 403 for an app-only token where a user's is required. The two spaces are X's.
    pub(crate) fn unsupported_authentication() -> Self {
        Self::unsupported("OAuth 2.0 Application-Only", "OAuth 1.0a User Context, OAuth 2.0 User Context")
    }

    /// 403 for a user's token where only the app's own is accepted.
    pub(crate) fn unsupported_user_authentication() -> Self {
        Self::unsupported("OAuth 2.0 User Context", "OAuth 2.0 Application-Only")
    }

    fn unsupported(kind: &str, supported: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            json!({
                "title": "Unsupported Authentication",
                "detail": format!("Authenticating with {kind} is forbidden for this endpoint.  \
                Supported authentication types are [{supported}]."),
                "type": "https://api.twitter.com/2/problems/unsupported-authentication",
                "status": 403,
            }),
        )
    }

    /// 409 for a stream without rules.
    pub(crate) fn no_rules() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            json!({
                "title": "RulesConfigurationIssue",
                "detail": "You must define rules before connecting to the stream.",
                "type": "https://api.twitter.com/2/problems/rule-configuration",
            }),
        )
    }

    /// 429 for a second connection to the stream.
    pub(crate) fn too_many_connections() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            json!({
                "title": "ConnectionException",
                "detail": "This stream is currently at the maximum allowed connection limit.",
                "connection_issue": "TooManyConnections",
                "type": "https://api.twitter.com/2/problems/streaming-connection",
            }),
        )
    }

    /// The problem for an ordered fault.
    pub(crate) fn of_fault(fault: XFault) -> Self {
        match fault {
            XFault::CreditsDepleted => Self::new(
                StatusCode::PAYMENT_REQUIRED,
                json!({
                    "detail": "credits depleted",
                    "status": 402,
                    "title": "Payment Required",
                    "type": "https://api.x.com/2/problems/credits-depleted",
                }),
            ),
            XFault::CreditsDepletedOld => Self::new(
                StatusCode::PAYMENT_REQUIRED,
                json!({
                    "account_id": "1000000000000000000",
                    "title": "CreditsDepleted",
                    "detail": "Your enrolled account [1000000000000000000] does not have any credits to \
                    fulfill this request.",
                    "type": "https://api.twitter.com/2/problems/credits",
                }),
            ),
            XFault::UsageCapped => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                json!({
                    "account_id": "1000000000000000000",
                    "product_name": "standard-basic",
                    "title": "UsageCapExceeded",
                    "period": "Monthly",
                    "scope": "Product",
                    "detail": "Usage cap exceeded: Monthly product cap",
                    "type": "https://api.twitter.com/2/problems/usage-capped",
                }),
            ),
            XFault::NotPermitted => Self::not_permitted(),
            XFault::ReplyNotAllowed => Self::reply_not_allowed(),
            XFault::Duplicate => Self::duplicate(),
            XFault::Oauth1Permissions => Self::new(
                StatusCode::FORBIDDEN,
                json!({
                    "title": "Forbidden",
                    "status": 403,
                    "detail": "Your client app is not configured with the appropriate oauth1 app \
                    permissions for this endpoint.",
                    "type": "https://api.twitter.com/2/problems/oauth1-permissions",
                }),
            ),
            XFault::ClientNotEnrolled => Self::new(
                StatusCode::FORBIDDEN,
                json!({
                    "client_id": "27400769",
                    "detail": "When authenticating requests to the Twitter API v2 endpoints, you must use \
                    keys and tokens from a Twitter developer App that is attached to a Project. You can \
                    create a project via the developer portal.",
                    "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
                    "title": "Client Forbidden",
                    "required_enrollment": "Appropriate Level of API Access",
                    "reason": "client-not-enrolled",
                    "type": "https://api.twitter.com/2/problems/client-forbidden",
                }),
            ),
            XFault::ResetPast | XFault::ResetNow | XFault::ResetFar | XFault::ResetUnused => {
                Self::too_many_requests()
            }
            XFault::DailyUpdates => Self::coded(185, "User is over daily status update limit."),
            XFault::DailyLimit => Self::coded(
                344,
                "You have reached your daily limit for sending Tweets and messages. Please try again later.",
            ),
            XFault::Automated => Self::coded(
                226,
                "This request looks like it might be automated. To protect our users from spam and other \
                malicious activity, we can't complete this action right now. Please try again later.",
            ),
            XFault::Locked => Self::coded(
                326,
                "To protect our users from spam and other malicious activity, this account is temporarily \
                locked. Please log in to https://twitter.com to unlock your account.",
            ),
            XFault::Suspended => {
                Self::coded(64, "Your account is suspended and is not permitted to access this feature.")
            }
            XFault::ErrorsOnly => Self::without_data(&json!({})),
            XFault::ErrorsAndNoResults => Self::without_data(&json!({"meta": {"result_count": 0}})),
            XFault::EmptyObject => Self::new(StatusCode::OK, json!({})),
            XFault::ExpiredToken => Self::invalid(&json!([{
                "parameters": {"pagination_token": ["expired"]},
                "message": "The `pagination_token` query parameter value [expired] is not valid",
            }])),
        }
    }

    /// 403 in the older form, with a code.
    fn coded(code: u16, message: &str) -> Self {
        let errors = json!([{"code": code, "message": message}]);
        Self::new(
            StatusCode::FORBIDDEN,
            json!({"errors": errors, "detail": message, "type": "about:blank", "title": "Forbidden", "status": 403}),
        )
    }

    /// 200 with an error instead of data.
    fn without_data(rest: &Value) -> Self {
        let mut body = rest.clone();
        body["errors"] = json!([{
            "title": "Internal Error",
            "detail": "Something went wrong while fetching the posts.",
            "status": 500,
            "type": "https://api.x.com/2/problems/internal-error",
        }]);
        Self::new(StatusCode::OK, body)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.body)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        // Problems with a 200 have the content type of a normal answer.
        let kind = if self.status.is_success() {
            "application/json; charset=utf-8"
        } else {
            "application/problem+json"
        };
        HttpResponse::build(self.status).content_type(kind).body(self.body.to_string())
    }
}

/// Entries of `errors` in a 200 that lacks something requested.
pub(crate) mod partial {
    use serde_json::{Value, json};

    /// There is no such user or post.
    pub(crate) fn not_found(resource: &str, parameter: &str, value: &str) -> Value {
        json!({
            "value": value,
            "detail": format!("Could not find {resource} with {parameter}: [{value}]."),
            "title": "Not Found Error",
            "resource_type": resource,
            "parameter": parameter,
            "resource_id": value,
            "type": "https://api.twitter.com/2/problems/resource-not-found",
        })
    }

    /// The user is suspended.
    pub(crate) fn suspended(parameter: &str, value: &str) -> Value {
        json!({
            "value": value,
            "detail": format!("User has been suspended: [{value}]."),
            "title": "Forbidden",
            "resource_type": "user",
            "parameter": parameter,
            "resource_id": value,
            "type": "https://api.twitter.com/2/problems/resource-not-found",
        })
    }

    /// The user's posts are visible only to followers.
    pub(crate) fn protected(value: &str) -> Value {
        json!({
            "value": value,
            "detail": format!("Sorry, you are not authorized to see the user with id: [{value}]."),
            "title": "Authorization Error",
            "section": "data",
            "resource_type": "user",
            "parameter": "id",
            "resource_id": value,
            "type": "https://api.twitter.com/2/problems/not-authorized-for-resource",
        })
    }
}
