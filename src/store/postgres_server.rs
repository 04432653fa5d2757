//! Connection limits of a PostgreSQL server or pooler, and remedies for their errors.

use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, Row as _, any::AnyConnectOptions};

/// The database's and the role's `CONNECTION LIMIT`; superusers have none.
const LIMITS: &str = "SELECT r.rolconnlimit AS role, d.datconnlimit AS database FROM pg_roles r, pg_database d \
                      WHERE r.rolname = current_user AND d.datname = current_database() AND NOT r.rolsuper";
/// The connection that listens for changes.
const LISTENER: u32 = 1;

/// The maximum number of connections of both pools: as configured, or fewer if the server would refuse
/// them. A refused connection delays a request by seconds.
pub async fn allowed_connections(connection: &mut AnyConnection, configured: u32) -> sqlx::Result<u32> {
    let Some(row) = sqlx::query(LIMITS).fetch_optional(connection).await? else { return Ok(configured) };
    let limits: [i32; 2] = [row.try_get("role")?, row.try_get("database")?];
    let allowed = within(limits, configured);
    if allowed < configured {
        tracing::warn!(
            configured,
            allowed,
            "the server's CONNECTION LIMIT of this role or database is lower than accounts.store_connections"
        );
    }
    Ok(allowed)
}

/// Checks that prepared statements stay with their connection. Behind a pooler in transaction mode without support
/// for them, two consecutive connections share one server connection, and the second finds its statement name taken.
pub async fn check_statements(one: &mut AnyConnection, server: &AnyConnectOptions) -> sqlx::Result<()> {
    let mut other = server.connect().await?;
    for _ in 0..2 {
        for connection in [&mut *one, &mut other] {
            sqlx::query("SELECT last FROM change_clock").fetch_one(connection).await?;
        }
    }
    other.close().await
}

/// Negative: no limit.
fn within(limits: [i32; 2], configured: u32) -> u32 {
    let lowest = limits.into_iter().filter_map(|limit| u32::try_from(limit).ok()).min();
    lowest.map_or(configured, |limit| limit.saturating_sub(LISTENER).clamp(2, configured.max(2)))
}

/// The remedy for an error that a pooler causes.
pub fn remedy(code: &str, message: &str) -> Option<&'static str> {
    match code {
        // duplicate, unknown
        "42P05" | "26000" => Some(
            "a pooler in transaction mode loses prepared statements: use PgBouncer 1.21 or later with \
             max_prepared_statements above 0, its session mode, or the server itself in accounts.store_url",
        ),
        "08P01" if message.contains("unsupported startup parameter") => {
            Some("PgBouncer passes it over with ignore_startup_parameters = extra_float_digits")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_no_larger_than_the_server_allows() {
        for (limits, configured, allowed) in [
            ([-1, -1], 10, 10),
            ([100, -1], 10, 10),
            ([3, -1], 10, 2),
            ([-1, 6], 10, 5),
            ([8, 6], 10, 5),
            ([11, -1], 10, 10),
            // at least one reader and one writer
            ([1, -1], 10, 2),
            ([0, 0], 1, 2),
        ] {
            assert_eq!(within(limits, configured), allowed, "{limits:?} {configured}");
        }
    }

    #[test]
    fn errors_of_a_pooler_come_with_a_remedy() {
        for (code, message, has_remedy) in [
            ("42P05", "prepared statement \"sqlx_s_1\" already exists", true),
            ("26000", "prepared statement \"sqlx_s_1\" does not exist", true),
            ("08P01", "unsupported startup parameter: extra_float_digits", true),
            ("08P01", "invalid message", false),
            ("23505", "duplicate key", false),
        ] {
            assert_eq!(remedy(code, message).is_some(), has_remedy, "{code}");
        }
    }
}
