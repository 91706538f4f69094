-- What SQLite says in its own way: words, and what is never changed.
CREATE VIRTUAL TABLE IF NOT EXISTS texts USING fts5 (text, content = '', contentless_delete = 1);
CREATE TRIGGER IF NOT EXISTS records_stay BEFORE UPDATE ON records
  BEGIN SELECT RAISE(ABORT, 'records are never changed'); END;
CREATE TRIGGER IF NOT EXISTS records_go BEFORE DELETE ON records
  WHEN OLD.seq > COALESCE((SELECT last FROM removed WHERE chain = OLD.chain), 0)
  BEGIN SELECT RAISE(ABORT, 'records are removed by retention alone'); END;
CREATE TRIGGER IF NOT EXISTS approvals_end BEFORE UPDATE ON approvals
  WHEN OLD.state IN ('denied', 'expired', 'spent') AND (NEW.state <> OLD.state OR NEW.exchange IS NOT OLD.exchange)
  BEGIN SELECT RAISE(ABORT, 'an approval that is over stays so'); END;
