@echo off
rem What the Task Scheduler starts. The token stands in a file that only this account may read:
rem   icacls "%LOCALAPPDATA%\amoot-etl\token" /inheritance:r /grant:r "%USERNAME%:R"
"%ProgramFiles%\amoot-etl\Scripts\amoot-etl.exe" export --out "%PUBLIC%\Documents\amoot" --token-file "%LOCALAPPDATA%\amoot-etl\token" --deadline 3h --log-json 2>> "%LOCALAPPDATA%\amoot-etl\task.log"
set code=%ERRORLEVEL%
rem 4 is the portal's bad day: the next run tries again. 8 is a refusal to destroy: somebody must look.
if %code% NEQ 0 eventcreate /T ERROR /ID %code% /L APPLICATION /SO amoot-etl /D "amoot-etl ended with %code%" >nul
exit /b %code%
