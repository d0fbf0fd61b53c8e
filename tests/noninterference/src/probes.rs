//! Statements that no session runs, whatever the world: each must be refused by its own code, and the same way twice.

/// SQL and the code that refuses it.
pub const PROBES: [(&str, &str); 25] = [
    (
        "SELECT CAST(code AS INT) AS '__datafusion_extracted_1' FROM t0",
        "StatementRefused",
    ),
    (
        "SELECT CAST(code AS INT) AS \"__datafusion_extracted_1\" FROM t0",
        "StatementRefused",
    ),
    (
        "SELECT \"__datafusion_extracted_1\" FROM (SELECT id AS \"__DataFusion_extracted_1\" FROM t0)",
        "StatementRefused",
    ),
    ("SELECT id AS __common_expr_1 FROM t0", "StatementRefused"),
    ("EXPLAIN SELECT * FROM t0", "StatementRefused"),
    ("EXPLAIN ANALYZE SELECT * FROM t0", "StatementRefused"),
    ("DESCRIBE t0", "StatementRefused"),
    ("SHOW ALL", "StatementRefused"),
    ("SET datafusion.optimizer.max_passes = 0", "StatementRefused"),
    ("PREPARE p AS SELECT 1", "StatementRefused"),
    ("DROP TABLE t0", "StatementRefused"),
    ("CREATE VIEW x AS SELECT * FROM t0", "StatementRefused"),
    ("COPY (SELECT * FROM t0) TO 'x.csv'", "StatementRefused"),
    ("INSERT INTO t0 SELECT * FROM t0", "StatementRefused"),
    ("SELECT 1; SELECT 2", "StatementRefused"),
    ("SELECT * FROM read_parquet('t0.parquet')", "StatementRefused"),
    ("SELECT * FROM t0 TABLESAMPLE BERNOULLI (10)", "StatementRefused"),
    ("SELECT * INTO x FROM t0", "StatementRefused"),
    ("SELECT id FROM t0 FOR UPDATE", "StatementRefused"),
    ("SELECT * FROM information_schema.tables", "TableUnknown"),
    ("SELECT * FROM raw_t0", "TableUnknown"),
    ("SELECT * FROM raw_map", "TableUnknown"),
    ("SELECT * FROM other.public.t0", "TableUnknown"),
    ("SELECT input_file_name() FROM t0", "FunctionUnknown"),
    ("SELECT nosuch(id) FROM t0", "FunctionUnknown"),
];
