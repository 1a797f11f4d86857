CREATE TABLE old_age_allowance (pid bigint, monthly_amount integer, payment_status char(1), local_authority_code integer,
  drawn_since char(8));
CREATE TABLE local_authority (code integer, name varchar(100));
INSERT INTO local_authority VALUES (698, 'เทศบาลเมืองสมมุติ');
INSERT INTO old_age_allowance VALUES (9111111111114, 700, 'S', 698, '25601000'), (9415270760304, 600, 'P', 698, '25601000'), (9415270760304, 600, 'P', 698, '25611000');
