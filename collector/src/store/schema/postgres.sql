-- What PostgreSQL says in its own way: words, and what is never changed.
CREATE TABLE IF NOT EXISTS texts (record BIGINT PRIMARY KEY, words TSVECTOR NOT NULL);
CREATE INDEX IF NOT EXISTS texts_words ON texts USING gin (words);
CREATE OR REPLACE FUNCTION records_stay() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'records are never changed'; END $$;
CREATE OR REPLACE TRIGGER records_stay BEFORE UPDATE ON records FOR EACH ROW EXECUTE FUNCTION records_stay();
CREATE OR REPLACE TRIGGER records_remain BEFORE TRUNCATE ON records FOR EACH STATEMENT EXECUTE FUNCTION records_stay();
CREATE OR REPLACE FUNCTION records_go() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN
    IF OLD.seq > COALESCE((SELECT last FROM removed WHERE chain = OLD.chain), 0) THEN
      RAISE EXCEPTION 'records are removed by retention alone';
    END IF;
    RETURN OLD;
  END $$;
CREATE OR REPLACE TRIGGER records_go BEFORE DELETE ON records FOR EACH ROW EXECUTE FUNCTION records_go();
CREATE OR REPLACE FUNCTION approvals_end() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'an approval that is over stays so'; END $$;
CREATE OR REPLACE TRIGGER approvals_end BEFORE UPDATE ON approvals FOR EACH ROW
  WHEN (OLD.state IN ('denied', 'expired', 'spent')
    AND (NEW.state <> OLD.state OR NEW.exchange IS DISTINCT FROM OLD.exchange))
  EXECUTE FUNCTION approvals_end();
