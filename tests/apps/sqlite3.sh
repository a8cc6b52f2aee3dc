# shellcheck shell=bash
# Debian's sqlite3: a database written, read back and checked.
"$osv" run sqlite3 --net none -- /tmp/test.db \
	"create table t(a integer primary key, b text);
	 with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
	 insert into t select i, 'row ' || i from n;
	 delete from t where a % 3 = 0; vacuum;
	 select count(*), sum(a), max(b) from t; pragma integrity_check;" \
	>"$WORK/sqlite3" 2>"$WORK/sqlite3.err"
status=$?
if [ "$(grep -v '^osv: ' "$WORK/sqlite3" | tr -d '\r')" != $'1334|1334667|row 998\nok' ]; then
	not_ok apps/sqlite3 "the answers are wrong" "$WORK/sqlite3"
elif [ $status != 0 ]; then
	not_ok apps/sqlite3 "status $status" "$WORK/sqlite3"
else
	ok apps/sqlite3
fi
