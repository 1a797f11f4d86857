CREATE TABLE land_deed (pid char(13), deed_no varchar(20), land_no varchar(20), survey_no varchar(40), province_code integer,
  rai integer, ngan integer, wah varchar(10));
INSERT INTO land_deed VALUES
  ('9415270760304', '20001', '7', '5136 II ตัวอย่าง', 6, 2, 1, '50.5'),
  ('9415270760304', '10001', NULL, '-', 97, 0, 0, NULL),
  ('9111111111114', '30001', '1', '5136 I ตัวอย่าง', 6, 1, 0, '0');
