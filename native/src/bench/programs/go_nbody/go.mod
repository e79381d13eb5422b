module gonbody

go 1.19
