//! Whose SQL a product speaks: a setting of its boundary. The gates look at what was parsed, whatever the dialect.

use datafusion::common::config::{ConfigOptions, Dialect};
use datafusion::sql::sqlparser::dialect::{self, Dialect as Syntax};

/// The parser's dialect for these options.
pub(crate) fn dialect(options: &ConfigOptions) -> &'static dyn Syntax {
    match options.sql_parser.dialect {
        Dialect::Generic => &dialect::GenericDialect,
        Dialect::MySQL => &dialect::MySqlDialect {},
        Dialect::PostgreSQL => &dialect::PostgreSqlDialect {},
        Dialect::Hive => &dialect::HiveDialect {},
        Dialect::SQLite => &dialect::SQLiteDialect {},
        Dialect::Snowflake => &dialect::SnowflakeDialect,
        Dialect::Redshift => &dialect::RedshiftSqlDialect {},
        Dialect::MsSQL => &dialect::MsSqlDialect {},
        Dialect::ClickHouse => &dialect::ClickHouseDialect {},
        Dialect::BigQuery => &dialect::BigQueryDialect,
        Dialect::Ansi => &dialect::AnsiDialect {},
        Dialect::DuckDB => &dialect::DuckDbDialect,
        Dialect::Databricks => &dialect::DatabricksDialect,
        Dialect::Spark => &dialect::SparkSqlDialect,
    }
}
